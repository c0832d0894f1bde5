/**
 * A cluster under load and one fault after the other, drawn from a seed; afterwards what
 * the clients were told is held against what is there.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { audit, openWork, verifyNow, type Verdict, type Verified } from "../faults/Audit.ts"
import type { SentCommand } from "../faults/ClientView.ts"
import {
  defaultClient,
  FaultClient,
  makeRandom,
  openWallets,
  runLoad,
  sendAgain,
  settleOpen
} from "../faults/FaultClient.ts"
import { claimsOf, type ClusterRig, directStores, makeRig, startNodes, type Stores, untilShared } from "./ClusterRig.ts"
import { auditCluster, type ClusterVerdict } from "./ClusterAudit.ts"
import type { ClaimPlace } from "./ClaimHistory.ts"
import { disturb, type DisturbanceKind } from "./Disturbances.ts"
import { spreadRequests } from "./SpreadRequests.ts"

export interface ChaosOptions {
  readonly seed: number
  readonly nodes: number
  readonly stores: Stores
  /** Again and again. */
  readonly kinds: ReadonlyArray<DisturbanceKind>
  /** In another order each time. */
  readonly shuffled: boolean
  /** Ends when either is reached. */
  readonly faults: number
  readonly millis: number
  readonly leaseMillis: number
  readonly connections: number
  readonly wallets: number
  /** A client's for one try: then it asks another node, by the same key. Milliseconds. */
  readonly patienceMillis: number
  /** See `RigOptions`. */
  readonly previous?: string | undefined
  /** Told of each fault once it is over and mended. */
  readonly tell: (line: string) => Effect.Effect<void>
}

export interface FaultRecord {
  readonly kind: DisturbanceKind
  readonly node: string
  /** `performance.now()`, ms. */
  readonly startedAt: number
  readonly endedAt: number
  /** All partitions have one owner again. */
  readonly sharedAt: number
  /** The longest that a command was asked for in vain in this time, ms; with the wallet. */
  readonly longest: { readonly millis: number; readonly walletId: string; readonly kind: string }
  /** Tries of the command that took the most. */
  readonly tries: number
  /** Claims made in this time. */
  readonly claims: number
}

export interface ChaosOutcome {
  readonly faults: ReadonlyArray<FaultRecord>
  readonly verdict: Verdict
  readonly cluster: ClusterVerdict
  readonly verified: Verified
  readonly answers: FaultClient["answers"]
  readonly durationMillis: number
  /** What is not as promised; empty: all is well. */
  readonly problems: ReadonlyArray<string>
}

/** Load before the first fault and after the last. */
const edgeMillis = 1_000

/** What is open after the load has to be told within this. */
const settleMillis = 60_000

/** Rows and transfers have to be level with the log within this: a dead node is told after its lease, and then looked after. */
const levelMillis = 60_000

const shuffled = <A>(all: ReadonlyArray<A>, random: (below: number) => number): Array<A> => {
  const from = [...all]
  for (let i = from.length - 1; i > 0; i--) {
    const j = random(i + 1)
    ;[from[i], from[j]] = [from[j]!, from[i]!]
  }
  return from
}

/** How long the commands that were open in this time were asked for in vain, and how often. */
const waits = (commands: ReadonlyArray<SentCommand>, from: number, until: number) => {
  let longest = { millis: 0, walletId: "", kind: "" }
  let tries = 0
  for (const { kind, trail, walletId } of commands) {
    if (trail === undefined || trail.askedAt > until) continue
    const settledAt = trail.settledAt ?? performance.now()
    if (settledAt < from) continue
    const millis = Math.round(settledAt - trail.askedAt)
    if (millis > longest.millis) longest = { millis, walletId, kind }
    tries = Math.max(tries, trail.round)
  }
  return { longest, tries }
}

interface Fault {
  readonly kind: DisturbanceKind
  readonly node: string
  readonly startedAt: number
  readonly endedAt: number
  readonly sharedAt: number
  readonly began: number
  readonly ended: number
}

const faultsUnderLoad = Effect.fnUntraced(function* (
  rig: ClusterRig,
  options: ChaosOptions,
  problems: Array<string>
): Effect.fn.Return<ReadonlyArray<Fault>> {
  const random = makeRandom(options.seed)
  const faults: Array<Fault> = []
  const until = performance.now() + options.millis
  let bag: Array<DisturbanceKind> = []
  while (faults.length < options.faults && performance.now() < until) {
    if (bag.length === 0) bag = options.shuffled ? shuffled(options.kinds, random) : [...options.kinds]
    const kind = bag.shift()!
    const node = rig.nodes[faults.length % rig.nodes.length]!
    const began = Date.now()
    const startedAt = performance.now()
    const disturbed = yield* disturb(rig, kind, { leaseMillis: options.leaseMillis, node, random })
    const endedAt = performance.now()
    problems.push(...disturbed.problems)
    const sharedAt = yield* untilShared(rig.nodes, options.leaseMillis)
    faults.push({ kind, node: node.name, startedAt, endedAt, sharedAt, began, ended: Date.now() })
    yield* options.tell(
      `${faults.length}: ${kind} ${node.name}, ${Math.round(endedAt - startedAt)} ms, shared again ` +
        `${Math.round(sharedAt - endedAt)} ms later`
    )
  }
  return faults
})

/** Once the stores agree, which the nodes have to see to by themselves. */
const level = Effect.fnUntraced(function* (rig: ClusterRig) {
  return yield* Effect.gen(function* () {
    const until = performance.now() + levelMillis
    let open = yield* openWork
    while (open.length > 0 && performance.now() < until) {
      yield* Effect.sleep(250)
      open = yield* openWork
    }
    return { verified: yield* verifyNow, open }
  }).pipe(Effect.provide(directStores(rig)), Effect.orDie)
})

const promisesBroken = (verdict: Verdict, cluster: ClusterVerdict, verified: Verified): ReadonlyArray<string> => [
  ...(verdict.lost > 0 ? [`${verdict.lost} lost`] : []),
  ...(verdict.doubled > 0 ? [`${verdict.doubled} doubled`] : []),
  ...(verdict.untrue > 0 ? [`${verdict.untrue} untrue answers`] : []),
  ...(cluster.disordered > 0 ? [`${cluster.disordered} out of order`] : []),
  ...(cluster.unclaimed > 0 ? [`${cluster.unclaimed} events under another claim than stood`] : []),
  ...(verified.differences > 0 ? [`verify found ${verified.differences} differences`] : []),
  ...verdict.complaints,
  ...cluster.complaints,
  ...verified.found
]

/** Of a client's patience: so its node has an answer before, unless it is gone itself. */
const waitShare = 0.6

/** The nodes' environment: leases as asked, and not so many rows in the log of what happens. */
const environmentOf = ({ leaseMillis, patienceMillis }: ChaosOptions) => ({
  WALLET_CALLER_WAIT: `${Math.floor(patienceMillis * waitShare)} millis`,
  WALLET_LEASE_TIME: `${leaseMillis} millis`,
  WALLET_LOG_LEVEL: "Warn"
})

const recordsOf = (faults: ReadonlyArray<Fault>, client: FaultClient, claims: ReadonlyArray<ClaimPlace>) =>
  faults.map(({ began, ended, endedAt, kind, node, sharedAt, startedAt }): FaultRecord => ({
    kind,
    node,
    startedAt,
    endedAt,
    sharedAt,
    ...waits(client.commands, startedAt, sharedAt),
    claims: claims.filter(({ time }) => time >= began && time < ended).length
  }))

export const runChaos = Effect.fnUntraced(function* (
  options: ChaosOptions
): Effect.fn.Return<ChaosOutcome, never, Scope.Scope> {
  const started = performance.now()
  const problems: Array<string> = []
  const rig = yield* makeRig({ ...options, environment: environmentOf(options) })
  yield* startNodes(rig)
  const urls = rig.nodes.map(({ url }) => url)
  const { connections, seed, wallets } = options
  const client = new FaultClient(
    {
      ...defaultClient,
      connections,
      wallets,
      seed,
      batchPercent: 20,
      oneWalletPercent: 50,
      patienceMillis: options.patienceMillis
    },
    urls[0]!
  )
  client.connect = () => spreadRequests(urls, client.random)
  yield* openWallets(client)
  yield* options.tell(`${options.nodes} nodes, ${wallets} wallets, ${connections} connections`)
  const load = yield* Effect.forkChild(runLoad(client))
  yield* Effect.sleep(edgeMillis)
  client.phase = "fault"
  const faults = yield* faultsUnderLoad(rig, options, problems)
  client.phase = "after"
  yield* Effect.sleep(edgeMillis)
  client.running = false
  yield* Fiber.join(load)
  const settled = yield* Effect.timeoutOption(Effect.andThen(settleOpen(client), sendAgain(client, 200)), settleMillis)
  if (settled._tag === "None") problems.push("some commands were never settled")
  const { open, verified } = yield* level(rig)
  problems.push(...open)
  for (const node of rig.nodes) {
    const code = yield* node.end("SIGTERM")
    if (code !== 0) problems.push(`${node.name} ended with ${code}`)
  }
  const claims = yield* claimsOf(rig)
  const [verdict, cluster] = yield* Effect.all([
    audit(client),
    auditCluster(client.commands, claims, rig.partitions)
  ]).pipe(Effect.provide(directStores(rig)), Effect.orDie)
  problems.push(...promisesBroken(verdict, cluster, verified))
  return {
    faults: recordsOf(faults, client, claims),
    verdict,
    cluster,
    verified,
    answers: client.answers,
    durationMillis: Math.round(performance.now() - started),
    problems
  }
})
