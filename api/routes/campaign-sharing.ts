import { findCampaign, replaceSheetPeople } from '../../db/campaigns.ts'
import { found, Problem } from '../problem.ts'
import { type Endpoint, route } from '../route.ts'
import { CampaignParams, SheetSharing } from './campaign-answers.ts'

export function campaignSharingRoutes(): Endpoint[] {
  return [
    route({
      method: 'post',
      path: '/campaigns/{id}/share',
      permission: 'campaigns:write',
      tag: 'Campaigns',
      summary: "Change whom a campaign's spreadsheet is shared with",
      description:
        'Replaces the list of people, until the campaign has ended. One that waits because an address was refused goes on once it is resumed. Whoever has been let in stays in.',
      params: CampaignParams,
      body: SheetSharing,
      example: { people: [{ emailAddress: 'you@example.com', role: 'reader' }] },
      problems: ['wrong_state'],
      success: { status: 200, description: 'The people from now on', schema: SheetSharing },
      handler: ({ params: { id }, body, answerAs }) =>
        answerAs(async (tx) => {
          const campaign = found(await findCampaign(tx, id), 'campaign')
          if (campaign.export.sheet === undefined)
            throw new Problem('wrong_state', 'The campaign makes no spreadsheet.')
          if (!(await replaceSheetPeople(tx, id, body.people))) {
            throw new Problem('wrong_state', `The campaign is ${campaign.status}: share the spreadsheet itself.`)
          }
          return { body }
        }),
    }),
  ]
}
