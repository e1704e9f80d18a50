import { defineSearchAttributeKey, SearchAttributeType, TypedSearchAttributes } from '@temporalio/common'

/** What operators filter by. A SQL visibility store has room for ten keywords in all, and nothing here is encrypted: ids only. */
const organisationIdKey = defineSearchAttributeKey('OrganisationId', SearchAttributeType.KEYWORD)
export const processKindKey = defineSearchAttributeKey('ProcessKind', SearchAttributeType.KEYWORD)
export const businessStatusKey = defineSearchAttributeKey('BusinessStatus', SearchAttributeType.KEYWORD)
const subjectIdKey = defineSearchAttributeKey('SubjectId', SearchAttributeType.KEYWORD)

/** When a schedule meant a story to begin; Temporal's own. */
export const scheduledStartKey = defineSearchAttributeKey('TemporalScheduledStartTime', SearchAttributeType.DATETIME)

export const searchAttributeKeys = [organisationIdKey, processKindKey, businessStatusKey, subjectIdKey]

/** The attributes of a story that begins. */
export function attributesOf(story: {
  organisationId: string
  processKind: string
  subjectId: string
}): TypedSearchAttributes {
  return new TypedSearchAttributes([
    { key: organisationIdKey, value: story.organisationId },
    { key: processKindKey, value: story.processKind },
    { key: businessStatusKey, value: 'queued' },
    { key: subjectIdKey, value: story.subjectId },
  ])
}
