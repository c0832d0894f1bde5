/** What `FeedWorker` is asked and answers. */
import * as Schema from "effect/Schema"

export const FeedLoadOptions = Schema.Struct({
  host: Schema.String,
  port: Schema.Int,
  apiKey: Schema.String,
  feeds: Schema.Int,
  /** Position. */
  after: Schema.String,
  millis: Schema.Int
})
export type FeedLoad = typeof FeedLoadOptions.Type

export const FeedLoadReport = Schema.Struct({
  /** Feeds that were answered by 200. */
  opened: Schema.Int,
  /** Feeds that were closed by the service. */
  ended: Schema.Int,
  bytes: Schema.Int
})
