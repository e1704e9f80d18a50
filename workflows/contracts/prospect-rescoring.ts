/** The workflow's input: ids only. */
export interface ProspectRescoringInput {
  organisationId: string
  campaignId: string
}

/** Once for each version of the rules: whoever asks for it again asks for what is done. */
export const rescoringId = (campaignId: string, rulesVersion: number): string =>
  `rescoring/${campaignId}/${rulesVersion}`
