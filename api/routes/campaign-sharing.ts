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
        'Replaces the list of people, for a run also that of its saved search. One that waits because an address was refused goes on once it is resumed. Of a campaign that has ended it holds for later runs. Whoever has been let in stays in.',
      params: CampaignParams,
      body: SheetSharing,
      example: { people: [{ emailAddress: 'you@example.com', role: 'reader' }] },
      problems: ['wrong_state'],
      success: { status: 200, description: 'The people from now on', schema: SheetSharing },
      handler: ({ params: { id }, body, answerAs }) =>
        answerAs(async (tx) => {
          found(await findCampaign(tx, id), 'campaign')
          if (!(await replaceSheetPeople(tx, id, body.people))) {
            throw new Problem('wrong_state', 'The campaign makes no spreadsheet.')
          }
          return { body }
        }),
    }),
  ]
}
