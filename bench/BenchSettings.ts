/** How long and how large the bench's measurements are. */

export interface BenchSettings {
  /** Rounds that count; one more before them is thrown away. */
  readonly rounds: number
  /** Counted part of a round, milliseconds. */
  readonly millis: number
  /** Part of a round before the count, milliseconds: callers get busy, connections open. */
  readonly rampMillis: number
  /** Wallets of the cells that spread their commands. */
  readonly wallets: number
  /** Callers of those cells. */
  readonly manyCallers: number
  /** Resident wallets whose memory is measured. */
  readonly residentWallets: number
  /** Events of the wallet with a long history. */
  readonly longHistory: number
  /** Keys of each wallet that has a past. */
  readonly pastKeys: number
  /** Events of the past that a side writes to a store for all such wallets together. */
  readonly pastEvents: number
  /** Activations of each wallet. */
  readonly activations: number
  /** Commands with keys of their own, all on one wallet. */
  readonly distinctKeys: number
  /** Holds that expire at one instant; a multiple of ten. */
  readonly expiringHolds: number
  /** Wallets of the log that a search index is written from, of 24 events each. */
  readonly searchWallets: number
  /** Of events that come at a constant rate, until each is found; milliseconds. */
  readonly lagMillis: number
  /** From the first hold placed to that instant, milliseconds. */
  readonly expiryLeadMillis: number
  /** Callers of the rows that compare with the usual ways, the same on both sides. */
  readonly baselineCallers: ReadonlyArray<number>
  /** A folder with the SQL of pgledger, which is no part of this project; `null`: not measured. */
  readonly pgledger: string | null
}

/** The figures that the README quotes: about eight minutes on two cores. */
const fullBench: BenchSettings = {
  rounds: 3,
  millis: 2_000,
  rampMillis: 300,
  wallets: 10_000,
  manyCallers: 2_048,
  residentWallets: 100_000,
  longHistory: 1_000_000,
  pastKeys: 10_000,
  pastEvents: 1_000_000,
  activations: 100,
  distinctKeys: 1_000_000,
  expiringHolds: 10_000,
  searchWallets: 4_000,
  lagMillis: 20_000,
  expiryLeadMillis: 12_000,
  baselineCallers: [1, 32, 64, 512],
  pgledger: null
}

/** Whether everything runs, in under a minute; its figures mean little. */
const quickBench: BenchSettings = {
  rounds: 1,
  millis: 150,
  rampMillis: 30,
  wallets: 500,
  manyCallers: 256,
  residentWallets: 2_000,
  longHistory: 10_000,
  pastKeys: 100,
  pastEvents: 1_000,
  activations: 10,
  distinctKeys: 20_000,
  expiringHolds: 200,
  searchWallets: 100,
  lagMillis: 500,
  expiryLeadMillis: 3_000,
  baselineCallers: [1, 32],
  pgledger: null
}

/** What the command line says of them. */
export interface GivenSettings {
  readonly quick: boolean
  /** Two checkouts. */
  readonly compares: boolean
  readonly rounds: number | undefined
  readonly seconds: number | undefined
  readonly pgledger: string | undefined
}

/** Two checkouts differ by less than an engine and a baseline: more rounds. */
const comparedRounds = 5

export const settingsOf = ({ compares, pgledger, quick, rounds, seconds }: GivenSettings): BenchSettings => {
  const base = quick ? quickBench : fullBench
  const usual = compares && !quick ? comparedRounds : base.rounds
  return {
    ...base,
    rounds: rounds ?? usual,
    millis: seconds === undefined ? base.millis : Math.round(seconds * 1_000),
    pgledger: pgledger ?? null
  }
}
