import { assert as assertProperty, property, string } from 'fast-check'
import { assert, describe, expect, test } from 'vitest'
import type { Purpose } from '../../../workflows/contracts/sending.ts'
import { renderEmail } from '../../../workflows/rules/rendering.ts'
import { checkTemplate, type RenderBudget } from '../../../workflows/rules/templates.ts'

const sender = {
  name: 'Fixit',
  address: 'hello@fixit.test',
  replyTo: null,
  postalAddress: '1 Main Street\nSpringfield',
}
const unsubscribeUrl = 'https://fixit.test/u/token'

function rendered(
  step: { subject?: string; text?: string; html?: string },
  {
    properties = {},
    purpose = 'transactional',
    budget,
  }: { properties?: Record<string, unknown>; purpose?: Purpose; budget?: RenderBudget } = {},
) {
  const contact = { email: 'ada@example.test', phone: null, externalId: 'c-1', language: 'en', properties }
  return renderEmail({ subject: 'Hello', text: 'Hello', ...step }, sender, { contact, unsubscribeUrl }, purpose, budget)
}

function emailOf(...[step, whom]: Parameters<typeof rendered>) {
  const result = rendered(step, whom)
  assert(result.ok, JSON.stringify(result))
  return result.email
}

describe('a hole in the text', () => {
  test('is reported with every variable and its line, and nothing is rendered', () => {
    const step = {
      subject: 'For {{ contact.properties.company }}',
      text: 'Hi\n{{ contact.properties.firstName | capitalize }}',
    }
    expect(rendered(step)).toEqual({
      ok: false,
      missing: ['contact.properties.company', 'contact.properties.firstName'],
      detail:
        'subject, line 1: contact.properties.company is not known of this person. text, line 2: contact.properties.firstName is not known of this person.',
      isOutOfBudget: false,
    })
  })

  test.each([[null], [''], ['  ']])('is what is known as %j, too', (firstName) => {
    expect(rendered({ text: 'Hi {{ contact.properties.firstName }}' }, { properties: { firstName } })).toMatchObject({
      ok: false,
      missing: ['contact.properties.firstName'],
    })
  })

  test.each([
    ['{{ contact.properties.tags | first }}', { tags: [] }],
    ['{{ contact.properties.address }}', { address: { city: 'Rome' } }],
    ['{{ contact.properties.list | split: "," | slice: 5 | first | raw }}', { list: 'a,b' }],
    ['{{ contact.properties.x | remove: "x" }}', { x: 'x' }],
    ['{% echo contact.properties.x | remove: "x" %}', { x: 'x' }],
    ['{{ contact.properties.x | remove: "x" | raw }}', { x: 'x' }],
  ])('is %s of what shows nothing', (text, properties) => {
    expect(rendered({ text }, { properties })).toMatchObject({ ok: false, missing: [text] })
  })

  test.each([
    ['{% case contact.properties.x %}{% when "a" %}A{% endcase %}'],
    ['{% case contact.properties.x %}{% when "a" %}A{% else %}B{% endcase %}'],
    ['{% assign greeting = contact.properties.x | append: "!" %}Hello {{ greeting }}'],
  ])('is %s, whose way cannot be told', (text) => {
    const result = rendered({ text })
    expect(result).toMatchObject({ ok: false, missing: expect.arrayContaining(['contact.properties.x']) })
  })

  test('is none where the template says what to write instead', () => {
    const text =
      'Hi {{ contact.properties.firstName | default: "there" }}{{ contact.properties.title | default: "" }}{% if contact.properties.vip %}!{% endif %}'
    expect(emailOf({ text }).text).toBe('Hi there')
    const more =
      '{% case contact.properties.x | default: "" %}{% when "a" %}A{% else %}B{% endcase %}{{ contact.email | split: "@" | slice: 5 | first | default: "" | raw }}'
    expect(emailOf({ text: more }).text).toBe('B')
    expect(emailOf({ text: 'Hi{{ contact.properties.x | default: " " }}there' }).text).toBe('Hi there')
  })

  test('in the subject alone holds the message back', () => {
    expect(rendered({ subject: '{{ contact.properties.x | default: "" }}' })).toMatchObject({ ok: false, missing: [] })
  })
})

describe('what people and providers see', () => {
  test('HTML escapes what it shows of a person, text does not', () => {
    const properties = { company: 'Ada & <b>Sons</b>' }
    const { text, html } = emailOf(
      { text: '{{ contact.properties.company }}', html: '<p>{{ contact.properties.company }}</p>' },
      { properties },
    )
    expect(text).toBe('Ada & <b>Sons</b>')
    expect(html).toBe('<p>Ada &amp; &lt;b&gt;Sons&lt;/b&gt;</p>')
  })

  test('only what is said to be raw is not escaped', () => {
    const { html } = emailOf({ html: '{{ "<b>" }} {{ "<b>" | raw }} {{ "<b>" | raw | upcase }}' })
    expect(html).toBe('&lt;b&gt; <b> &lt;B&gt;')
  })

  test('HTML made of the text has paragraphs, and links without the full stop behind them', () => {
    const { html } = emailOf({ text: 'Hi <you>,\nsee https://fixit.test/a?b=1&c=2.\n\nBye' })
    expect(html).toContain(
      '<p>Hi &lt;you&gt;,<br>\nsee <a href="https://fixit.test/a?b=1&amp;c=2">https://fixit.test/a?b=1&amp;c=2</a>.</p>\n<p>Bye</p>',
    )
  })

  test('no subject begins another header', () => {
    assertProperty(
      property(string({ unit: 'binary' }), (name) => {
        const result = rendered(
          { subject: 'For {{ contact.properties.name | default: "you" }}' },
          { properties: { name } },
        )
        assert(result.ok)
        expect(result.email.subject).not.toMatch(/[\p{Cc}\u2028\u2029]/u)
        expect(result.email.subject).toMatch(/^For/)
      }),
    )
  })

  test('a character that a filter cuts in half does not leave', () => {
    const { text } = emailOf({ text: '{{ contact.properties.mood | slice: 0, 1 }}' }, { properties: { mood: '😀' } })
    expect(text.isWellFormed()).toBe(true)
  })
})

describe('the foot of marketing', () => {
  test('is in both parts: the postal address and the way out', () => {
    const { text, html } = emailOf({ html: '<html><body><p>Hi</p></body></html>' }, { purpose: 'marketing' })
    expect(text).toBe(`Hello\n\n-- \n1 Main Street\nSpringfield\nUnsubscribe: ${unsubscribeUrl}\n`)
    expect(html).toBe(
      `<html><body><p>Hi</p><p>1 Main Street<br>\nSpringfield<br>\n<a href="${unsubscribeUrl}">Unsubscribe</a></p>\n</body></html>`,
    )
    expect(emailOf({}, { purpose: 'marketing' }).html).toContain(`<a href="${unsubscribeUrl}">${unsubscribeUrl}</a>`)
  })

  test('repeats nothing that the templates show', () => {
    const step = {
      text: '{{ sender.postalAddress }}: {{ unsubscribeUrl }}',
      html: '<a href="{{ unsubscribeUrl }}">{{ sender.postalAddress }}</a>',
    }
    const { text, html } = emailOf(step, { purpose: 'marketing' })
    expect([text.split(unsubscribeUrl).length, html.split(unsubscribeUrl).length]).toEqual([2, 2])
    expect([text.split('Springfield').length, html.split('Springfield').length]).toEqual([2, 2])
  })

  test('is not asked of notices', () => {
    expect(emailOf({}).text).toBe('Hello')
  })
})

describe('a template that is saved', () => {
  test.each([
    ['Hi {{ contact.properties.firstName', 1, /not closed/],
    ['Hi\n\n{{ contact.email | shout }}', 3, /undefined filter: shout/i],
    ['{% include "other" %}', 1, /include/],
    ['Hi\n{{ firstName }}', 2, /no variable firstName/],
    ['{{ contact.firstName }}', 1, /no variable contact.firstName/],
    ['{% if contact.email %}', 1, /not closed/],
  ])('%j is refused with its line', (source, line, detail) => {
    expect(checkTemplate(source)).toEqual([expect.objectContaining({ line, detail: expect.stringMatching(detail) })])
  })

  test('may use loops, assignments and everything that is kept of people', () => {
    const source = `{% assign name = contact.properties.firstName | default: contact.email %}{{ name }}
      {% for tag in contact.properties.tags %}{{ tag.title }}{{ forloop.index }}{% endfor %} {{ sender.name }} {{ unsubscribeUrl }}`
    expect(checkTemplate(source)).toEqual([])
  })
})

const slow =
  '{% for i in (1..500) %}{% for j in (1..500) %}{% for k in (1..500) %}{{ k }}{{ k }}{{ k }}{{ k }}{% endfor %}{% endfor %}{% endfor %}'

test.each([
  ['{% for i in (1..1000000000) %}x{% endfor %}', /memory/],
  ['{% assign s = "aaaaaaaaaa" %}{% for i in (1..60) %}{% assign s = s | append: s %}{% endfor %}', /memory/],
  ['{% for i in (1..1000) %}{{ "' + 'x'.repeat(1000) + '" }}{% endfor %}', /characters/],
  [slow, /more than 50 ms/],
])('%s takes neither the memory nor the time of others, and is not saved', (text, detail) => {
  expect(rendered({ text })).toMatchObject({ ok: false, missing: [], isOutOfBudget: false })
  expect(checkTemplate(text)).toEqual([expect.objectContaining({ detail: expect.stringMatching(detail) })])
})

test('no list is searched by an expression, which could search it in turn', () => {
  const text = '{% assign list = "1,2" | split: "," %}{{ list | has_exp: "one", "list | has_exp: two, one" }}'
  expect(checkTemplate(text)).toMatchObject([{ detail: 'Undefined filter: has_exp.' }])
})

describe('a budget', () => {
  test('that is spent judges nobody', () => {
    const budget = { leftMs: 0 }
    expect(rendered({}, { budget })).toMatchObject({ ok: false, missing: [], isOutOfBudget: true })
    expect(rendered({}, { budget: { leftMs: 1_000 } })).toMatchObject({ ok: true })
  })

  test('that is too small for a second look leaves open whether the template or the machine was slow', () => {
    const budget = { leftMs: 1 }
    expect(rendered({ text: slow }, { budget })).toMatchObject({ ok: false, isOutOfBudget: true })
    expect(budget.leftMs).toBeLessThan(0)
  })

  test('is shared by all that are rendered by it', () => {
    const budget = { leftMs: 60_000 }
    expect(rendered({ text: slow }, { budget })).toMatchObject({ ok: false, isOutOfBudget: false })
    expect(budget.leftMs).toBeLessThan(60_000 - 2 * 50)
  })
})

test('a template reaches nothing but its data', () => {
  for (const path of ['constructor', '__proto__', 'toString']) {
    expect(rendered({ text: `{{ contact.properties.${path} }}` })).toMatchObject({ ok: false })
  }
})
