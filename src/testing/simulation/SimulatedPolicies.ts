/** Policies of some seeds: a velocity that is reached again and again, and one that tells whether any event was missed. */
import * as Policies from "../../domain/Policies.ts"
import { type AnyPolicy, type Policy, spentBy, spentIn } from "../../domain/Policy.ts"
import type { RecordedEvent } from "../../domain/Event.ts"
import type { SeededRandom } from "./SeededRandom.ts"

export interface PolicyPlan {
  /** Minor units that may leave a wallet … */
  readonly amount: number
  /** … in so many ms, … */
  readonly perMillis: number
  /** … in buckets of so many. */
  readonly bucketMillis: number
  /** Of these policies each node has another version than the one before: what they know is folded anew. */
  readonly renewed: ReadonlyArray<string>
}

export const drawPolicyPlan = (random: SeededRandom): PolicyPlan | undefined => {
  if (random.chance(0.5)) return undefined
  const perMillis = random.pick([3_000, 10_000, 30_000])
  return {
    amount: random.pick([30, 60, 120]),
    perMillis,
    bucketMillis: Math.ceil(perMillis / random.pick([1, 3, 24])),
    renewed: random.pick([[], ["velocity"], ["exact"], ["velocity", "exact"]])
  }
}

/** Of so many times that something has left a wallet, the last is no debit. */
const turn = 5

/** Its facts are right only if no event was missed, and none was counted twice. */
const exact: Policy<{ readonly times: number }> = {
  name: "exact",
  version: "1",
  facts: {
    initial: { times: 0 },
    fold: (facts, recorded) => (spentIn(recorded) === 0n ? facts : { times: facts.times + 1 }),
    maxBytes: 100
  },
  judge: (wallet, command, _now, { times }) =>
    command._tag === "Debit" && times % turn === turn - 1 && spentBy(wallet, command) > 0n
      ? { reason: `${times} times` }
      : undefined
}

export const policiesOf = (plan: PolicyPlan | undefined): ReadonlyArray<AnyPolicy> => {
  if (plan === undefined) return []
  const { amount, bucketMillis, perMillis } = plan
  return [Policies.velocity({ amount: BigInt(amount), per: perMillis, bucket: bucketMillis }), exact]
}

/** Something that holds of each wallet's events, whatever else does; answers what does not. */
export type PolicyLaw = (events: ReadonlyArray<RecordedEvent>) => string | undefined

/** In no window has more left a wallet than may, by the events alone. */
export const velocityLaw =
  ({ amount, perMillis }: Pick<PolicyPlan, "amount" | "perMillis">): PolicyLaw =>
  (events) => {
    const most = BigInt(amount)
    const spent = events.map((recorded) => ({ time: recorded.time, amount: spentIn(recorded) }))
    let first = 0
    let sum = 0n
    for (const { amount, time } of spent) {
      sum += amount
      while (spent[first]!.time <= time - perMillis) sum -= spent[first++]!.amount
      if (sum > most) return `${sum} have left within ${perMillis} ms up to ${time}, at most ${most} may`
    }
    return undefined
  }
