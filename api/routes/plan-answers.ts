import { z } from 'zod'
import type { SavedPlan } from '../../db/plans.ts'
import { Plan, PlanMeter, PlanPrice } from '../../workflows/contracts/plans.schema.ts'

const OfferedMeter = z
  .strictObject({
    type: PlanMeter.shape.type,
    event: PlanMeter.shape.event.exactOptional().meta({ description: 'Only the platform is told' }),
    setting: PlanMeter.shape.setting.exactOptional().meta({ description: 'Only the platform is told' }),
  })
  .meta({ id: 'OfferedMeter' })

const OfferedPrice = PlanPrice.omit({ setting: true })
  .extend({
    meters: z.array(OfferedMeter).exactOptional().meta({
      description: 'Types of credits of which what the included ones do not cover is invoiced by use',
    }),
    isForSale: z.boolean().meta({
      description: 'False while the price has no counterpart at Stripe, and of what is retired or an earlier version',
    }),
    setting: PlanPrice.shape.setting.exactOptional().meta({
      description: "The setting that holds the price's id at Stripe. Only the platform is told",
    }),
  })
  .meta({ id: 'OfferedPrice' })

/** A plan as buyers see it, and with what is told the platform alone. */
export const OfferedPlan = z
  .strictObject({
    ...Plan.shape,
    prices: z.array(OfferedPrice),
    version: z.int().min(1).meta({ description: 'The newest is bought; who has bought an earlier one keeps it' }),
    createdAt: z.iso.datetime().meta({ description: 'When this version was saved' }),
    actor: z.string().exactOptional().meta({ description: 'Who saved this version. Only the platform is told' }),
    retiredAt: z.iso.datetime().nullable().meta({ description: 'Since when nobody buys it; null: it is offered' }),
  })
  .meta({ id: 'OfferedPlan' })

export interface Reader {
  isPlatform: boolean
  /** Ids of prices at Stripe by the name of their setting. */
  stripePrices: Readonly<Record<string, string>>
}

export function planAnswer(
  { version, definition, actor, createdAt, newest, retiredAt }: SavedPlan,
  { isPlatform, stripePrices }: Reader,
): z.input<typeof OfferedPlan> {
  const isOffered = retiredAt === null && version === newest
  return {
    ...definition,
    prices: definition.prices.map(({ setting, meters, ...price }) => ({
      ...price,
      isForSale:
        isOffered && [setting, ...(meters ?? []).map((one) => one.setting)].every((one) => one in stripePrices),
      ...(meters && { meters: isPlatform ? meters : meters.map(({ type }) => ({ type })) }),
      ...(isPlatform && { setting }),
    })),
    version,
    createdAt: createdAt.toISOString(),
    ...(isPlatform && { actor }),
    retiredAt: retiredAt?.toISOString() ?? null,
  }
}
