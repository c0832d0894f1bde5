/** Throw-away Prometheus servers: they scrape a test's services every second, and evaluate its rules as often. */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { endProcess, findPrograms, freePort, startUntil, temporaryFolder } from "../../bench/servers/ServerProcess.ts"
import type { Rule, ruleFile } from "../../deploy/observe/source/Rules.ts"

const folder = findPrograms(["prometheus"], [])

/** Whether tests on a real Prometheus can run: `describe.skipIf(!prometheusPresent)`. */
export const prometheusPresent: boolean = folder !== undefined

/** Says loudly what is not tested where it is absent. */
export const sayAbsent = (what: string): void => {
  if (!prometheusPresent)
    process.stderr.write(`\n  prometheus: ABSENT - NOT TESTED: ${what} (install the package prometheus)\n\n`)
}

const Labels = Schema.Record(Schema.String, Schema.String)

const QueryAnswer = Schema.Struct({
  status: Schema.Literals(["success", "error"]),
  error: Schema.optional(Schema.String),
  data: Schema.optional(
    Schema.Struct({
      result: Schema.Array(Schema.Struct({ metric: Labels, value: Schema.Tuple([Schema.Number, Schema.String]) }))
    })
  )
})

const AlertsAnswer = Schema.Struct({
  data: Schema.Struct({
    alerts: Schema.Array(Schema.Struct({ labels: Labels, annotations: Labels, state: Schema.String }))
  })
})

const RulesAnswer = Schema.Struct({
  data: Schema.Struct({
    groups: Schema.Array(
      Schema.Struct({
        rules: Schema.Array(Schema.Struct({ name: Schema.String, lastError: Schema.optional(Schema.String) }))
      })
    )
  })
})

/** A series at one moment. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface FiringAlert {
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

export interface Prometheus {
  /** The series of an expression as of now. Dies with Prometheus' own words when it is none. */
  readonly query: (expr: string) => Effect.Effect<ReadonlyArray<Sample>>
  readonly firing: Effect.Effect<ReadonlyArray<FiringAlert>>
  /** What rules could not be evaluated; empty: all can. */
  readonly ruleErrors: Effect.Effect<ReadonlyArray<string>>
  /** Until this alert fires; the test's own limit ends a wait that never would. */
  readonly untilFires: (alert: string) => Effect.Effect<FiringAlert>
  readonly untilQuiet: (alert: string) => Effect.Effect<void>
  /** Until the expression has a series. */
  readonly until: (expr: string) => Effect.Effect<void>
}

export type RuleFile = typeof ruleFile

/**
 * The same rules for a test that does not wait for minutes: a rule fires as soon as its expression holds.
 * `scaled`: of a rule, a part of its expression and what stands in its place; each has to be there.
 */
export const shortened = (
  file: RuleFile,
  scaled: Readonly<Record<string, readonly [string, string]>> = {}
): RuleFile => {
  const shorten = ({ for: _, ...rule }: Rule): Rule => {
    const change = scaled[rule.alert]
    if (change === undefined) return rule
    if (!rule.expr.includes(change[0])) throw new Error(`${rule.alert} has no "${change[0]}" in its expression`)
    return { ...rule, expr: rule.expr.replace(...change) }
  }
  return { groups: file.groups.map((group) => ({ ...group, rules: group.rules.map(shorten) })) }
}

const pause = Schedule.spaced("200 millis")

/** For what never comes, not for what is slow: then the wait says for what it was. */
const limit = "3 minutes"

const within = <A>(what: string, wait: Effect.Effect<A>): Effect.Effect<A> =>
  Effect.timeoutOrElse(wait, { duration: limit, orElse: () => Effect.die(new Error(`not within ${limit}: ${what}`)) })

const client = (url: string): Prometheus => {
  const get = <A>(path: string, schema: Schema.ConstraintDecoder<A>) =>
    Effect.promise((signal) =>
      fetch(url + path, { signal }).then(async (response) => Schema.decodeUnknownPromise(schema)(await response.json()))
    )
  const query: Prometheus["query"] = (expr) =>
    Effect.flatMap(get(`/api/v1/query?query=${encodeURIComponent(expr)}`, QueryAnswer), ({ data, error }) =>
      data === undefined
        ? Effect.die(new Error(`${expr}: ${error}`))
        : Effect.succeed(data.result.map(({ metric, value: [, value] }) => ({ labels: metric, value: Number(value) })))
    )
  const firing = Effect.map(get("/api/v1/alerts", AlertsAnswer), ({ data }) =>
    data.alerts.filter(({ state }) => state === "firing")
  )
  const ofName = (name: string) =>
    Effect.map(firing, (alerts) => alerts.find(({ labels }) => labels["alertname"] === name))
  return {
    query,
    firing,
    ruleErrors: Effect.map(get("/api/v1/rules", RulesAnswer), ({ data }) =>
      data.groups.flatMap(({ rules }) =>
        rules.flatMap(({ lastError = "", name }) => (lastError === "" ? [] : [`${name}: ${lastError}`]))
      )
    ),
    untilFires: (name) =>
      Effect.flatMap(ofName(name), (found) =>
        found === undefined ? Effect.fail("quiet" as const) : Effect.succeed(found)
      ).pipe(Effect.retry(pause), Effect.orDie, (wait) => within(`${name} fires`, wait)),
    untilQuiet: (name) =>
      within(
        `${name} is quiet again`,
        Effect.asVoid(Effect.repeat(ofName(name), { schedule: pause, until: (found) => found === undefined }))
      ),
    until: (expr) =>
      within(
        `something for ${expr}`,
        Effect.asVoid(Effect.repeat(query(expr), { schedule: pause, until: (found) => found.length > 0 }))
      )
  }
}

/** A server of the scope's own. `urls`: of the services, of the job `wallet`. Dies when the program is not there. */
export const startPrometheus = Effect.fnUntraced(function* (options: {
  readonly urls: ReadonlyArray<string>
  readonly rules: RuleFile
}) {
  if (folder === undefined) return yield* Effect.die(new Error("prometheus is not on this machine"))
  const data = yield* temporaryFolder()
  const port = yield* freePort
  const config = {
    global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
    rule_files: ["alerts.yml"],
    scrape_configs: [
      { job_name: "wallet", static_configs: [{ targets: options.urls.map((url) => new URL(url).host) }] }
    ]
  }
  // JSON is YAML.
  Fs.writeFileSync(Path.join(data, "prometheus.yml"), JSON.stringify(config))
  Fs.writeFileSync(Path.join(data, "alerts.yml"), JSON.stringify(options.rules))
  yield* Effect.acquireRelease(
    startUntil(
      Path.join(folder, "prometheus"),
      [
        `--config.file=${Path.join(data, "prometheus.yml")}`,
        `--storage.tsdb.path=${Path.join(data, "data")}`,
        `--web.listen-address=127.0.0.1:${port}`
      ],
      "Server is ready to receive web requests"
    ),
    (child) => endProcess(child, "SIGKILL")
  )
  const prometheus = client(`http://127.0.0.1:${port}`)
  yield* prometheus.until(`count(up{job="wallet"} == 1) == ${options.urls.length}`)
  return prometheus
})
