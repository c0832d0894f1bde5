/** Requests to a service that is watched. */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"

let keys = 0

export const nextKey = (): string => `observe-${keys++}`

export interface Reply {
  /** `0`: no answer. */
  readonly status: number
  readonly text: string
}

/** One request; a `POST` where there is a body, with a key of its own. */
export const callOf =
  (url: () => string, apiKey: string) =>
  (path: string, body?: unknown): Effect.Effect<Reply> =>
    Effect.promise(() =>
      fetch(url() + path, {
        method: body === undefined ? "GET" : "POST",
        headers: {
          authorization: `Bearer ${apiKey}`,
          ...(body === undefined ? {} : { "content-type": "application/json", "idempotency-key": nextKey() })
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) })
      }).then(
        (answer) => answer.text().then((text) => ({ status: answer.status, text })),
        () => ({ status: 0, text: "" })
      )
    )

/** For as long as the scope lasts, one after the other: something has to happen while Prometheus looks. */
export const keepAsking = (ask: Effect.Effect<Reply>) =>
  Effect.forkScoped(Effect.repeat(ask, Schedule.spaced("50 millis")))
