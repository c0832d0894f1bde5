/**
 * The catalogue of faults: what can go wrong at which call of a store, and how often it
 * has. A fault that a run never meets proves nothing. How often one is drawn in a run, its
 * fault plan says (`FaultPlan.ts`).
 */

/** Calls of the stores that a node makes. */
export const steps = [
  "append",
  "read",
  "readAll",
  "head",
  "saveSnapshot",
  "loadSnapshot",
  "claim",
  "epochOf",
  "raiseHighWatermark",
  "write",
  "refuse",
  "openRefusals",
  "refusals",
  "persistedVersions",
  "checkpoints",
  "setCheckpoint",
  "logId",
  "adoptLog",
  "findKeys",
  "keySegments",
  "saveKeySegment",
  "hold",
  "openTransfers",
  "dueFreezes",
  "dueHolds",
  "now"
] as const

export type Step = (typeof steps)[number]

/**
 * - `away`: fails before anything is done. `outage` is a time in which every call is `away`.
 * - `lostAnswer`: done, and the answer is lost.
 * - `lostRequest`: never done, and nobody can know.
 * - `late`: the answer is lost, and it is done some time after that.
 * - `slow`: takes long.
 * - `hangs`: done, and never answered.
 * - `defect`: fails as at fault, with nothing done. `throws` / `throwsAfter`: the driver throws, before or after.
 * - `conflict`: somebody else writes to the wallet just before, under the claim that stands.
 * - `takeover`: another node starts and claims while the call is on its way.
 * - `refused`: a user's rule says no.
 * - `crashBefore` / `crashAfter` / `crashLate`: the node dies; the call is not done, is done, or is done later.
 */
export const faults = [
  "away",
  "outage",
  "lostAnswer",
  "lostRequest",
  "late",
  "slow",
  "hangs",
  "defect",
  "throws",
  "throwsAfter",
  "conflict",
  "takeover",
  "refused",
  "crashBefore",
  "crashAfter",
  "crashLate"
] as const

export type Fault = (typeof faults)[number]

/** It would land in the time of another claim, another checkpoint: no store does that. */
const isLate = (fault: Fault): boolean => fault === "late" || fault === "crashLate"

const reading: ReadonlyArray<readonly [Fault, number]> = [
  ["away", 4],
  ["slow", 4],
  ["defect", 1],
  ["throws", 1],
  ["takeover", 1],
  ["crashBefore", 2]
]

const writing: ReadonlyArray<readonly [Fault, number]> = [
  ["away", 4],
  ["lostAnswer", 4],
  ["slow", 4],
  ["late", 2],
  ["defect", 1],
  ["throws", 1],
  ["throwsAfter", 1],
  ["takeover", 1],
  ["crashBefore", 1],
  ["crashAfter", 1],
  ["crashLate", 1]
]

/** Of a step that is rarely taken: each as often as the others. */
const evenly = (weighted: ReadonlyArray<readonly [Fault, number]>): ReadonlyArray<readonly [Fault, number]> =>
  weighted.map(([fault]) => [fault, 1])

/** What is drawn at a step, by weight. `outage` and `refused` come about by themselves. */
export const drawn: Readonly<Record<Step, ReadonlyArray<readonly [Fault, number]>>> = {
  append: [...writing, ["lostRequest", 4], ["conflict", 3]],
  read: reading,
  readAll: reading,
  head: reading,
  saveSnapshot: writing,
  loadSnapshot: reading,
  claim: writing.filter(([fault]) => !isLate(fault)),
  epochOf: evenly(reading),
  raiseHighWatermark: writing,
  write: [...writing, ["hangs", 2]],
  refuse: evenly([...writing, ["hangs", 1]]),
  openRefusals: reading,
  refusals: evenly(reading),
  persistedVersions: reading,
  checkpoints: reading,
  setCheckpoint: writing.filter(([fault]) => !isLate(fault)),
  logId: reading,
  adoptLog: [
    ...evenly(writing.filter(([fault]) => !isLate(fault))),
    ["slow", 0.5],
    ["takeover", 0.5],
    ["crashBefore", 1]
  ],
  findKeys: reading,
  keySegments: reading,
  saveKeySegment: evenly(writing),
  hold: reading,
  openTransfers: reading,
  dueFreezes: reading,
  dueHolds: reading,
  now: reading
}

/** How much more often than others a step fails that is rarely taken, how much less often one that is taken all the time. */
const rarity: Partial<Record<Step, number>> = {
  refusals: 3,
  claim: 4,
  hold: 4,
  readAll: 2,
  saveSnapshot: 1.5,
  saveKeySegment: 5,
  openTransfers: 0.6,
  dueHolds: 0.3,
  now: 0.5
}

/** Steps that few runs take at all: once in the life of an installation, or only after a refusal. */
const fixed: Partial<Record<Step, number>> = { adoptLog: 1, refuse: 0.5, epochOf: 0.5 }

/** A start, or a refusal, comes to this step only if the calls of this store before it were answered: hardly ever in an outage. */
const metBefore: ReadonlySet<Step> = new Set<Step>(["adoptLog", "epochOf"])

/** The chance that something is drawn at a step, in a run with that rate. */
export const likelihood = (step: Step, faultRate: number): number =>
  fixed[step] ?? Math.min(0.5, faultRate * (rarity[step] ?? 1))

/** How often each fault has hit each step. */
export class FaultTable {
  private readonly counts = new Map<string, number>()

  get total(): number {
    let total = 0
    for (const count of this.counts.values()) total += count
    return total
  }

  count(fault: Fault, step: Step, times = 1): void {
    const name = `${step} ${fault}`
    this.counts.set(name, (this.counts.get(name) ?? 0) + times)
  }

  get(fault: Fault, step: Step): number {
    return this.counts.get(`${step} ${fault}`) ?? 0
  }

  /** The pairs that can be, with how often they were. */
  pairs(): ReadonlyArray<{ readonly step: Step; readonly fault: Fault; readonly count: number }> {
    return steps.flatMap((step) =>
      [...new Set([...drawn[step].map(([fault]) => fault), ...outageAt(step), ...refusable(step)])].map((fault) => ({
        step,
        fault,
        count: this.get(fault, step)
      }))
    )
  }

  lines(): ReadonlyArray<string> {
    const width = Math.max(...steps.map((step) => step.length))
    const cell = (text: string) => text.padStart(12)
    const header = "".padEnd(width) + faults.map(cell).join("")
    const possible = new Set(this.pairs().map(({ fault, step }) => `${step} ${fault}`))
    return [
      header,
      ...steps.map(
        (step) =>
          step.padEnd(width) +
          faults.map((fault) => cell(possible.has(`${step} ${fault}`) ? String(this.get(fault, step)) : "·")).join("")
      )
    ]
  }
}

const outageAt = (step: Step): ReadonlyArray<Fault> => (metBefore.has(step) ? [] : ["outage"])

const refusable = (step: Step): ReadonlyArray<Fault> => (step === "append" || step === "write" ? ["refused"] : [])
