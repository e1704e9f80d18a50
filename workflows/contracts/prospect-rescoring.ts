/** The workflow's input: ids only. */
export interface ProspectRescoringInput {
  organisationId: string
  campaignId: string
}

/** A story for each request: what an earlier one has done is left alone, so that asking again is cheap and never in vain. */
export const rescoringId = (campaignId: string, requestId: string): string => `rescoring/${campaignId}/${requestId}`
