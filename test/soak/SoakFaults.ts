/** What is done to search while a soak runs, and undone. What the service has to mend by itself is not undone: the soak waits for it. */
import * as Effect from "effect/Effect"
import { indexPrefix, readiness, type SoakRig, toolProblems } from "./SoakRig.ts"

export const soakFaults = [
  "kill",
  "freeze",
  "empty",
  "index-deleted",
  "foreign-alias",
  "mapping-changed",
  "document-refused",
  "read-only",
  "half-bodies",
  "bad-gateway"
] as const

export type SoakFault = (typeof soakFaults)[number]

/** After these all of the log is written again: the longer it is the longer that takes. */
export const rewritesAll: ReadonlyArray<SoakFault> = ["empty", "index-deleted", "mapping-changed"]

export interface FaultOptions {
  /** How long what goes on for a while goes on, ms. */
  readonly holdMillis: number
  /** For a tool, ms. */
  readonly toolLimitMillis: number
}

type Problems = Effect.Effect<ReadonlyArray<string>>

/** The service has to notice within this, ms: a request to search may wait for 30 s. */
const noticeMillis = 60_000

const fine: ReadonlyArray<string> = []

/** Until the readiness says that search is degraded, and why. */
const said = (rig: SoakRig, why: RegExp): Problems =>
  Effect.repeat(
    Effect.tap(readiness(rig), () => Effect.sleep(100)),
    { until: ({ search, status }) => status === "degraded" && why.test(search) }
  ).pipe(
    Effect.as(fine),
    Effect.timeoutOrElse({
      duration: noticeMillis,
      orElse: () =>
        Effect.map(readiness(rig), ({ search, status }) => [
          `the readiness did not say ${why} within ${noticeMillis / 1_000} s: ${status}, ${search}`
        ])
    })
  )

/** Made, held for a while and until it was said, undone. */
const held = (
  rig: SoakRig,
  { holdMillis }: FaultOptions,
  fault: { readonly begin: Effect.Effect<unknown>; readonly why: RegExp; readonly end: Effect.Effect<unknown> }
): Problems =>
  fault.begin.pipe(
    Effect.andThen(Effect.all([said(rig, fault.why), Effect.sleep(holdMillis)], { concurrency: 2 })),
    Effect.tap(() => fault.end),
    Effect.map(([problems]) => problems)
  )

/** Must be done: the soak asks for nothing that cannot be. */
const done = (rig: SoakRig, method: string, path: string, body?: unknown): Effect.Effect<unknown> =>
  Effect.flatMap(rig.elasticsearch.request(method, path, body), ({ body, status }) =>
    status >= 200 && status < 300
      ? Effect.succeed(body)
      : Effect.die(new Error(`${method} ${path} was answered ${status} ${JSON.stringify(body)}`))
  )

/** The index that an alias leads to. */
const indexBehind = (rig: SoakRig, kind: string): Effect.Effect<string> =>
  Effect.map(done(rig, "GET", `/_alias/${indexPrefix}-${kind}`), (found) => Object.keys(found as object)[0]!)

const rebuild = (rig: SoakRig, { toolLimitMillis }: FaultOptions): Problems =>
  toolProblems(rig, ["replay", "--target", "readModel"], toolLimitMillis)

/** Set and taken away where the aliases lead: older sets are nobody's concern. */
const readOnly = Effect.fnUntraced(function* (rig: SoakRig, options: FaultOptions) {
  const aliases = ["wallets", "transactions", "transfers", "holds", "meta"].map((kind) => `${indexPrefix}-${kind}`)
  const block = (value: boolean | null) =>
    done(rig, "PUT", `/${aliases.join(",")}/_settings`, { "index.blocks.read_only_allow_delete": value })
  return yield* held(rig, options, { begin: block(true), why: /cluster_block_exception/, end: block(null) })
})

const deleted = Effect.fnUntraced(function* (rig: SoakRig, options: FaultOptions) {
  yield* done(rig, "DELETE", `/${yield* indexBehind(rig, "transactions")}`)
  const problems = yield* said(rig, /soak-transactions.*wallet replay --target readModel/)
  return [...problems, ...(yield* rebuild(rig, options))]
})

const foreign = Effect.fnUntraced(function* (rig: SoakRig, options: FaultOptions) {
  const alias = `${indexPrefix}-transactions`
  const index = yield* indexBehind(rig, "transactions")
  const name = `foreign-${crypto.randomUUID()}`
  yield* done(rig, "PUT", `/${name}`)
  const point = (from: string, to: string) =>
    done(rig, "POST", "/_aliases", { actions: [{ remove: { index: from, alias } }, { add: { index: to, alias } }] })
  return yield* held(rig, options, { begin: point(index, name), why: new RegExp(name), end: point(name, index) })
})

/** Goes on as it is, with a field more, until the operator rebuilds it. */
const mapping = Effect.fnUntraced(function* (rig: SoakRig, options: FaultOptions) {
  const path = `/${indexPrefix}-transactions/_mapping`
  yield* done(rig, "PUT", path, { properties: { color: { type: "keyword" } } })
  yield* Effect.sleep(options.holdMillis)
  const problems = yield* rebuild(rig, options)
  const after = yield* done(rig, "GET", path)
  return JSON.stringify(after).includes("color") ? [...problems, "the rebuilt index has the foreign field"] : problems
})

/** The first transaction of a bulk comes with a field that the mapping does not know. */
const spoiled = (body: string): string => {
  const lines = body.split("\n")
  const action = lines.findIndex(
    (line, place) => place % 2 === 0 && line.includes(`"_index":"${indexPrefix}-transactions`)
  )
  if (action >= 0) lines[action + 1] = lines[action + 1]!.replace(/^\{/, '{"nobodyKnows":1,')
  return lines.join("\n")
}

const refused = Effect.fnUntraced(function* (rig: SoakRig, options: FaultOptions) {
  const { proxy } = rig
  const problems = yield* held(rig, options, {
    begin: proxy.set({ _tag: "Change", path: "/_bulk", change: spoiled }),
    why: /documents were refused/,
    end: proxy.set({ _tag: "Pass" })
  })
  return [...problems, ...(yield* toolProblems(rig, ["replay", "--dead-letters"], options.toolLimitMillis))]
})

/** Makes one and undoes it; answers what was wrong with it. What follows has to come by itself. */
export const makeFault = (rig: SoakRig, fault: SoakFault, options: FaultOptions): Problems => {
  const { elasticsearch, proxy } = rig
  const pass = proxy.set({ _tag: "Pass" })
  switch (fault) {
    case "kill": {
      const begin = Effect.andThen(proxy.underWay("/_bulk"), elasticsearch.kill)
      return held(rig, options, { begin, why: /127\.0\.0\.1/, end: elasticsearch.start })
    }
    case "freeze":
      // As a host that hangs for 20 s.
      return held(
        rig,
        { ...options, holdMillis: 20_000 },
        { begin: elasticsearch.freeze, why: /./, end: elasticsearch.thaw }
      )
    case "empty": {
      const end = Effect.andThen(elasticsearch.loseData, elasticsearch.start)
      return held(rig, options, { begin: elasticsearch.kill, why: /127\.0\.0\.1/, end })
    }
    case "index-deleted":
      return deleted(rig, options)
    case "foreign-alias":
      return foreign(rig, options)
    case "mapping-changed":
      return mapping(rig, options)
    case "document-refused":
      return refused(rig, options)
    case "read-only":
      return readOnly(rig, options)
    case "half-bodies":
      return held(rig, options, { begin: proxy.set({ _tag: "HalfBodies" }), why: /127\.0\.0\.1/, end: pass })
    case "bad-gateway":
      return held(rig, options, { begin: proxy.set({ _tag: "BadGateway" }), why: /127\.0\.0\.1/, end: pass })
  }
}
