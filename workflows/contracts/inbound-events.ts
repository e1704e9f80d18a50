/** What a provider told us, verified and translated. The truth of it is the provider's; order and repetition mean nothing. */
export interface InboundEvent {
  /** The provider's own id of the event: the same event comes more than once. */
  id: string
  /** As the provider names it. */
  type: string
  occurredAt: Date
  /** As it came. */
  payload: unknown
  /** What it says in our words; null: nothing that we go by. */
  fact: InboundFact | null
}

export type InboundFact = MessageFact | ReplyFact | BillingFact

/** Something became of a message of ours. */
export interface MessageFact {
  kind: 'message'
  event: 'sent' | 'delivered' | 'bounced' | 'complained' | 'opened' | 'clicked' | 'rejected'
  /** Our own ids, from the tags; null where the provider did not send them back. */
  organisationId: string | null
  messageId: string | null
  providerMessageId: string
  /** Of a bounce: whether the address will never work. */
  isPermanent: boolean
}

/** Somebody wrote to us. */
export interface ReplyFact {
  kind: 'reply'
  /** Bare addresses, lower case. */
  from: string
  to: string[]
  /** Message-Ids that it answers. */
  inReplyTo: string[]
  providerMessageId: string
  /** Written by a machine: an out-of-office notice ends no journey. */
  isAutomatic: boolean
}

/** Something about a customer's payments has changed: what, only the provider knows. */
export interface BillingFact {
  kind: 'billing'
  /** Null where the provider names only the payment that it is about. */
  customerId: string | null
  /** Intents and charges. */
  paymentIds: string[]
}
