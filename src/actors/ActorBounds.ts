/**
 * Every bound of the actors and of the log writer, with its unit and its why.
 */
import type { WalletLimits } from "../domain/Decide.ts"
import { defaultLimits } from "../domain/Decide.ts"
import { getHeapStatistics } from "node:v8"

export interface ActorBounds {
  /** Bound of the rules: bytes of a wallet's state with its open holds, transfers in flight and metadata. */
  readonly limits: WalletLimits
  /** Commands waiting at one wallet. At 60k/s this is some 70 ms of work; more would only age. */
  readonly mailboxCommands: number
  /** Bytes of references and metadata waiting at one wallet: 4,096 commands of the largest size would be 50 MB. */
  readonly mailboxBytes: number
  /** Commands waiting at all wallets of the node: about 2 kB each, so 200 MB. */
  readonly nodeCommands: number
  /** Bytes of references and metadata waiting at all wallets of the node. */
  readonly nodeBytes: number
  /** Commands that one wallet decides before it appends. Larger batches gain nothing measurable and hold answers back. */
  readonly batchCommands: number
  /** While a wallet's append is in flight, so many commands that have come are decided for its next one; fewer wait for its end. */
  readonly aheadCommands: number
  /** What was decided ahead longer ago than this is decided anew, ms: it is judged by the time at which it was decided. */
  readonly aheadMillis: number
  /** Appends on their way at once, of different wallets: while the log works on one, the node answers for the other. */
  readonly appendsInFlight: number
  /**
   * Fewer events do not begin an append beside one that is in flight: they would only wait behind its lock of the
   * positions, and pay its fixed cost again. Where the log is apart any do: there nothing is locked.
   */
  readonly besideEvents: number
  /** Events of one gathered append over all wallets. */
  readonly appendEvents: number
  /** Bytes of references and metadata of one gathered append; a single wallet's may be as large as its mailbox. */
  readonly appendBytes: number
  /** Wallets of one gathered append: enough to make its fixed cost small, few enough that two halves overlap. */
  readonly appendCommits: number
  /** Other wallets that one wallet's commit may bring to the append, with steps of its transfers; 0: each step is an append of its own. */
  readonly jointWallets: number
  /** … and steps, in one commit, which cannot be divided: one that is never answered in time is sent again for ever. */
  readonly jointEvents: number
  /** How long an append that surely did not happen is tried again before its callers are told, ms. */
  readonly appendRetryMillis: number
  /** How long a caller waits at most, ms; then it gets `StoreUnavailable` or `OutcomeUnknown`. */
  readonly callerWaitMillis: number
  /** Tries of a batch after conflicts; each loads the wallet again. */
  readonly conflictRetries: number
  /**
   * Bytes that the resident wallets take together, by an estimate; beyond it the least recently used idle one
   * is passivated. An idle one takes about 2 kB, one with all its keys and holds far more.
   */
  readonly residentBytes: number
  /** A wallet without traffic for so long is passivated, ms. */
  readonly idleMillis: number
  /** Wallets loading at once: each holds a store connection while it reads. */
  readonly concurrentLoads: number
  /** Queries and pages of feeds at a time: each holds a store connection. Commands have the others. */
  readonly readsAtOnce: number
  /** While commands are in hand a read's turn rests so many times as long as it worked. */
  readonly readRestFactor: number
  /** A query waits so long for its turn, ms; then it is refused, long before its caller gives up. */
  readonly readWaitMillis: number
  /** Queries that wait for their turn, some 2 kB each; half of them of one reader at most. */
  readonly readsWaiting: number
  /** Feeds of one node at a time, some 30 kB each and the page that is on its way. */
  readonly feeds: number
  /** … and so many more for readers that have none yet: one reader cannot have them all. */
  readonly feedsSpare: number
  /** Pages of the log that feeds share, bytes; the least recently used goes. */
  readonly feedBytes: number
  /** Events between two snapshots of a wallet: bounds the tail that an activation reads. */
  readonly snapshotEvents: number
  /** At passivation a tail shorter than this is not worth a snapshot: it is one page to read. */
  readonly snapshotMinimumEvents: number
  /** Snapshots waiting to be written; beyond it they are skipped, the next one comes soon enough. */
  readonly snapshotQueue: number
  /** Idempotency keys a wallet keeps in memory, about 300 bytes each; `residentBytes` bounds those of all together. */
  readonly keysInMemory: number
  /** Bytes that the filters of older keys take, all wallets together: 4 per key, so 32 million keys. */
  readonly keyFilterBytes: number
  /** … and those of one wallet: 4 million keys. */
  readonly keyFilterWalletBytes: number
  /**
   * Keys of a filter's first segment, a power of two, and after how many more it is stored. So
   * many keys at most are read from the log again after a crash: some 30 ms.
   */
  readonly keySegmentKeys: number
  /** … and of the largest, where they are stored: a row of 256 kB, 9 % of what its keys' events take. */
  readonly keySegmentLargestKeys: number
  /** A wallet that leaves memory has a part of a segment stored that holds as many keys; fewer are a page of the log. */
  readonly keySegmentMinimumKeys: number
  /**
   * Events read from the log for keys that no segment covers, before a command; a few segments.
   * Beyond it Persistence is asked until the segments have been made, off the hot path.
   */
  readonly keyTailEvents: number
  /** Wallets with segments waiting to be stored, 16 to 256 kB each; beyond it they are skipped, the log has it all. */
  readonly keySegmentQueue: number
  /** Wallets of one look-up of keys in Persistence; … */
  readonly keyLookUpWallets: number
  /** … and keys, unless a single wallet asks for more. */
  readonly keyLookUpKeys: number
  /** Idempotency keys that go into a snapshot. */
  readonly keysInSnapshot: number
  /** Wallets of one write to Persistence. As in an append: enough to make its fixed cost small. */
  readonly persistWallets: number
  /** Events of one write to Persistence; a single commit may be larger. */
  readonly persistEvents: number
  /** Events between log and Persistence, some 1 kB each: at this bound new commands are refused. */
  readonly persistQueueEvents: number
  /** Callers that wait for Persistence at all wallets, some 1 kB each: more are told at once what is true by then. */
  readonly persistWaitingCallers: number
  /** A write to Persistence without an answer for so long is sent again, ms: its guard makes that harmless. */
  readonly persistTimeoutMillis: number
  /** Pauses between tries of a write to Persistence, ms: this, doubling, … */
  readonly persistRetryMillis: number
  /** … at most this, ms. So long after PostgreSQL is back the writing goes on. */
  readonly persistRetryMaxMillis: number
  /** A wallet whose writing has stopped at a defect is tried again so often, ms. */
  readonly persistBlockedMillis: number
  /** More wallets than this stopped at one time are a defect of the store: then all writing waits, none is singled out. */
  readonly persistBlockedWallets: number
  /**
   * Events of a wallet that Persistence may be behind by when it is activated, or while its
   * rows are written from the log; beyond it they have to be written first.
   */
  readonly persistBehindEvents: number
  /** The high watermark runs at least so far ahead of what is written, in positions of the log (KurrentDB: bytes). */
  readonly highWatermarkStep: number
  /** More compensations than this in a minute are no accident: they stop until the next start. */
  readonly compensationsPerMinute: number
  /** A wallet one of whose commands a user's rule refused appends alone for so long, ms. */
  readonly isolationMillis: number
  /** Transfers that one node carries at once, some 5 kB each; more callers get `MailboxFull`. */
  readonly transfersCarried: number
  /** How long a step of a transfer is tried again before the transfer is left to the sweeper, ms. */
  readonly sagaRetryMillis: number
  /** Between two looks for transfers that nobody carries, ms. */
  readonly transferSweepMillis: number
  /** A transfer this old, ms, should have ended: younger ones are still with the node that began them. */
  readonly transferSweepAgeMillis: number
  /** Between two looks for holds whose time is over, ms: an expiry is at most so late while all is well. */
  readonly holdSweepMillis: number
  /** Transfers or holds of one look. */
  readonly sweepBatch: number
  /** Transfers or holds that a sweeper handles at once. */
  readonly sweepConcurrency: number
  /** How long a sweeper waits for one of them, ms; then it is deferred, and others have their turn. */
  readonly sweepHandleMillis: number
  /** What could not be handled is left out of the looks for so long, ms. */
  readonly sweepDeferMillis: number
  /** So many are left out at a time, some 100 bytes each; beyond it they come back with every look. */
  readonly sweepDeferred: number
  /**
   * A clock that steps by more than this, or is this far beside the store's, is not sound; one
   * this far behind a wallet's last event is logged. Milliseconds.
   */
  readonly clockSkewMillis: number
  /** Between two comparisons of the clock with the store's, ms: a clock that goes wrong without a step is noticed after this. */
  readonly clockLookMillis: number
}

/** The residents take one part of the heap in so many: the rest is for what waits, for queues and for garbage. */
const heapPerResident = 4

export const defaultBounds: ActorBounds = {
  limits: defaultLimits,
  mailboxCommands: 4_096,
  mailboxBytes: 4 * 1024 * 1024,
  nodeCommands: 100_000,
  nodeBytes: 256 * 1024 * 1024,
  batchCommands: 2_048,
  aheadCommands: 16,
  aheadMillis: 250,
  appendsInFlight: 2,
  besideEvents: 64,
  appendEvents: 8_192,
  appendBytes: 8 * 1024 * 1024,
  appendCommits: 256,
  jointWallets: 255,
  jointEvents: 1_024,
  appendRetryMillis: 2_000,
  callerWaitMillis: 10_000,
  conflictRetries: 8,
  residentBytes: Math.floor(getHeapStatistics().heap_size_limit / heapPerResident),
  idleMillis: 10 * 60 * 1000,
  concurrentLoads: 32,
  readsAtOnce: 4,
  readRestFactor: 3,
  readWaitMillis: 1_000,
  readsWaiting: 1_024,
  feeds: 200,
  feedsSpare: 50,
  feedBytes: 16 * 1024 * 1024,
  snapshotEvents: 1_000,
  snapshotMinimumEvents: 64,
  snapshotQueue: 1_024,
  keysInMemory: 1_024,
  keyFilterBytes: 128 * 1024 * 1024,
  keyFilterWalletBytes: 16 * 1024 * 1024,
  keySegmentKeys: 4_096,
  keySegmentLargestKeys: 65_536,
  keySegmentMinimumKeys: 512,
  keyTailEvents: 8_192,
  keySegmentQueue: 256,
  keyLookUpWallets: 256,
  keyLookUpKeys: 8_192,
  keysInSnapshot: 256,
  persistWallets: 512,
  persistEvents: 8_192,
  persistQueueEvents: 200_000,
  persistWaitingCallers: 200_000,
  persistTimeoutMillis: 60_000,
  persistRetryMillis: 50,
  persistRetryMaxMillis: 1_000,
  persistBlockedMillis: 5_000,
  persistBlockedWallets: 16,
  persistBehindEvents: 10_000,
  highWatermarkStep: 65_536,
  compensationsPerMinute: 60,
  isolationMillis: 10_000,
  transfersCarried: 16_384,
  sagaRetryMillis: 10_000,
  transferSweepMillis: 1_000,
  transferSweepAgeMillis: 2_000,
  holdSweepMillis: 500,
  sweepBatch: 1_000,
  sweepConcurrency: 256,
  sweepHandleMillis: 5_000,
  sweepDeferMillis: 2_000,
  sweepDeferred: 10_000,
  clockSkewMillis: 5_000,
  clockLookMillis: 5_000
}
