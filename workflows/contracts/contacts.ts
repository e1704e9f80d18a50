/** What is known of a person beyond the fields that every person has: read by templates, branches and conditions. */
export type ContactProperties = Record<string, string | number | boolean>

export const mostProperties = 100
/** Of all properties together, as JSON in UTF-8. */
export const mostPropertyBytes = 16_000

/** A name by which a template can read a property. */
export const propertyName = /^[a-zA-Z_][a-zA-Z0-9_]{0,63}$/

/** The type of an event that users tell of themselves. */
export const customEventType = /^custom\.[a-z0-9][a-z0-9_.-]{0,62}$/

/** What Throughline itself records about people: no name of a user's begins like this. */
export const ownEventFamily = /^(contact|consent|suppression|enrolment|message)\./

export const consentStates = ['granted', 'withdrawn'] as const
export type ConsentState = (typeof consentStates)[number]
