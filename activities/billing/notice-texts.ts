import type { CustomerNotice, OperatorNotice } from '../../workflows/contracts/subscriptions.ts'

/** Liquid over `NoticeWords` (notice-words.ts). What is not known fails there, unless it is asked for by `if`. */
export interface NoticeText {
  subject: string
  text: string
}

/** What the customer can do, and where. */
const action = (what: string): string =>
  `{% if portalUrl %}To ${what}: {{ portalUrl }}{% else %}To ${what}, answer this e-mail.{% endif %}`
const thatDay = '{% if date %}on {{ date }}{% else %}soon{% endif %}'
const stillOpen =
  '{% if step == 1 %}We could not take the payment for {{ plan }}{% else %}The payment for {{ plan }} is still open{% endif %}'
const waits =
  'waits for your evidence{% if date %} until {{ date }}{% endif %}.{% if isLast %} This is the last reminder.{% endif %}'
const payment = `{% if payUrl %}To pay now: {{ payUrl }}
{% endif %}${action('pay or change your card')}`

const withGreeting = ({ subject, text }: NoticeText): NoticeText => ({
  subject,
  text: `Hello {{ organisation }},\n\n${text}\n\n{{ sender }}\n`,
})

const toCustomers: Record<CustomerNotice, NoticeText> = {
  trial_ending: {
    subject: `Your trial of {{ plan }} ends ${thatDay}`,
    text: `Your trial of {{ plan }} ends ${thatDay}.{% if amount %} From then on {{ plan }} is {{ amount }} {{ every }}.{% endif %}

${action('change your plan or cancel it')}`,
  },
  trial_ended: {
    subject: 'Your trial of {{ plan }} has ended',
    text: `Your trial of {{ plan }} has ended, and it is paused since nothing pays for it. Nothing of yours is lost.

${action('go on with it')}`,
  },
  renewal: {
    subject: `{{ plan }} renews ${thatDay}`,
    text: `{{ plan }} renews ${thatDay}{% if amount %}, for {{ amount }} {{ every }}{% endif %}. You need not do anything.

${action('change your plan or cancel it')}`,
  },
  card_expiring: {
    subject: 'Your card {% if card %}{{ card }} {% endif %}expires soon',
    text: `The card {% if card %}{{ card }} {% endif %}that pays for {{ plan }} expires at the end of {{ month }}.
Give another before then, and nothing is interrupted.

${action('change your card')}`,
  },
  payment_failed: {
    subject: '{% if isLast %}Last reminder: a{% else %}A{% endif %} payment for {{ plan }} has failed',
    text: `${stillOpen}{% if amount %}: {{ amount }}{% endif %}{% if number %} (invoice {{ number }}){% endif %}.
{% if isLast %}This is the last reminder: without a payment your access ends.{% else %}We try again; a new card is charged at once.{% endif %}

${payment}`,
  },
  access_reduced: {
    subject: 'Your access to {{ plan }} is reduced',
    text: `A payment for {{ plan }} is overdue, and your access to it is reduced. As soon as it is paid, you have all of it again.

${payment}`,
  },
  access_revoked: {
    subject: 'Your access to {{ plan }} has ended',
    text: `A payment for {{ plan }} is overdue, and your access to it has ended. As soon as it is paid, you have it again. Nothing of yours is lost.

${payment}`,
  },
  credits_low: {
    subject: 'You have {{ balance }} {{ credits }} left',
    text: `Of this period's {{ credits }}, {{ share }} % or less are left: {{ balance }}.

${action('buy more')}`,
  },
  credits_exhausted: {
    subject: 'Your {{ credits }} are used up',
    text: `Your {{ credits }} of this period are used up. What needs them stops until there are more.

${action('buy more')}`,
  },
  top_up_failed: {
    subject: 'We could not top up your {{ credits }}',
    text: `Your {{ credits }} were to be topped up, and the payment failed. Left: {{ balance }}.
It is tried again later, and you are not told of it again until it has worked.

${action('change your card or buy credits')}`,
  },
}

const toOperators: Record<OperatorNotice, NoticeText> = {
  dispute_opened: {
    subject: '{{ organisation }} disputes {% if amount %}{{ amount }}{% else %}a payment{% endif %}',
    text: `{{ organisation }} disputes a payment{% if amount %} of {{ amount }}{% endif %}: {{ about }} at Stripe.
{% if date %}Evidence is due by {{ date }}. {% endif %}Until it is decided, refunds and dunning stand still.

{{ sender }}
`,
  },
  dispute_due: {
    subject: `Evidence for the dispute of {{ organisation }} is due {% if date %}by {{ date }}{% else %}soon{% endif %}`,
    text: `The dispute {{ about }} of {{ organisation }}{% if amount %}, {{ amount }},{% endif %} ${waits}

{{ sender }}
`,
  },
}

export function textOf(notice: CustomerNotice | OperatorNotice): NoticeText {
  return isForOperators(notice) ? toOperators[notice] : withGreeting(toCustomers[notice])
}

function isForOperators(notice: CustomerNotice | OperatorNotice): notice is OperatorNotice {
  return notice in toOperators
}
