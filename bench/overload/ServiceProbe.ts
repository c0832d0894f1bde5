/** What a service under load is watched by: how soon `/health/live` answers, how much memory the process has, its metrics. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as Fs from "node:fs"
import * as Http from "node:http"
import type { Service } from "../HttpService.ts"

/** Resident, bytes. `NaN` where the system does not tell (it is not Linux, or the process has ended). */
export const residentBytes = ({ pid }: Service): number => {
  try {
    const line = /^VmRSS:\s+(\d+) kB/m.exec(Fs.readFileSync(`/proc/${pid}/status`, "latin1"))
    return line === null ? Number.NaN : Number(line[1]) * 1_024
  } catch {
    return Number.NaN
  }
}

/** Milliseconds after which an answer is no longer waited for; it counts as that long. */
const givenUpMillis = 30_000

/** Milliseconds until `/health/live` has answered with 200. */
const liveMillis = ({ url }: Service, agent: Http.Agent | false): Effect.Effect<number> =>
  Effect.callback<number>((resume) => {
    const startedAt = performance.now()
    const done = (millis: number) => resume(Effect.succeed(millis))
    const request = Http.get(new URL("/health/live", url), { agent }, (response) => {
      response.resume()
      response.on("end", () => done(response.statusCode === 200 ? performance.now() - startedAt : givenUpMillis))
    })
    request.on("error", () => done(givenUpMillis))
    return Effect.sync(() => request.destroy())
  }).pipe(Effect.timeoutOrElse({ duration: givenUpMillis, orElse: () => Effect.succeed(givenUpMillis) }))

export interface Watched {
  /** Of `/health/live`, milliseconds: the slowest, and 0.99 of them. */
  readonly liveMax: number
  readonly liveP99: number
  /** The most resident bytes. */
  readonly resident: number
}

const pollMillis = 50

/** Watches the service while `load` runs, and until it answers again: `/health/live` on a connection that is kept and on new ones in turns. */
export const watching = <A, E, R>(service: Service, load: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const kept = yield* Effect.acquireRelease(
      Effect.sync(() => new Http.Agent({ keepAlive: true })),
      (agent) => Effect.sync(() => agent.destroy())
    )
    const live: Array<number> = []
    let resident = residentBytes(service)
    const running = yield* Effect.forkChild(load)
    // The one that is on its way at the end is waited for: it may be the slowest.
    while (running.pollUnsafe() === undefined) {
      live.push(yield* liveMillis(service, live.length % 2 === 0 ? kept : false))
      resident = Math.max(resident, residentBytes(service))
      yield* Effect.sleep(pollMillis)
    }
    const value = yield* Fiber.join(running)
    live.sort((a, b) => a - b)
    const watched: Watched = {
      liveMax: live.at(-1) ?? givenUpMillis,
      liveP99: live[Math.floor(live.length * 0.99)] ?? givenUpMillis,
      resident
    }
    return { value, watched }
  }).pipe(Effect.scoped)

/** Requests of a route by the time to the head of their answer, since the service's start: `[seconds at most, how many]`, cumulative. */
export type Durations = ReadonlyArray<readonly [number, number]>

/** As the service's own metrics tell it. */
export const durationsOf = (service: Service, route: string): Effect.Effect<Durations> =>
  Effect.gen(function* () {
    const response = yield* HttpClient.get(new URL("/metrics", service.url))
    const durations: Array<readonly [number, number]> = []
    for (const line of (yield* response.text).split("\n")) {
      if (!line.startsWith("http_request_duration_seconds_bucket{") || !line.includes(`route="${route}"`)) continue
      const found = /le="([^"]+)".*\} (\S+)/.exec(line)
      if (found === null) continue
      durations.push([found[1] === "+Inf" ? Number.POSITIVE_INFINITY : Number(found[1]), Number(found[2])])
    }
    return durations
  }).pipe(Effect.provide(FetchHttpClient.layer), Effect.orDie)

/** The percentile of what came between two looks: the upper bound of its bucket, milliseconds. */
export const percentileBetween = (before: Durations, after: Durations, fraction: number): number => {
  const counts = after.map(([bound, count], index) => [bound, count - (before[index]?.[1] ?? 0)] as const)
  const total = counts.at(-1)?.[1] ?? 0
  const found = counts.find(([, count]) => count >= total * fraction)
  return total === 0 || found === undefined ? Number.NaN : found[0] * 1_000
}
