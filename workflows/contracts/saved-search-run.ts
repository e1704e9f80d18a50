/** The workflow's input: ids only. */
export interface SavedSearchRunInput {
  organisationId: string
  /** The campaign that is run again. */
  campaignId: string
}

export interface SavedSearchRunResult {
  /** The campaign that was begun: how it ended is its own story. */
  campaignId: string
}

/** Temporal adds the time that a run is due at. */
export const savedSearchRunId = (campaignId: string): string => `saved-search/${campaignId}`

export const campaignScheduleId = (campaignId: string): string => `campaign/${campaignId}`
