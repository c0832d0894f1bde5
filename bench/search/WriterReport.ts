/** What `WriterWorker.ts` prints. */
import * as Schema from "effect/Schema"
import type { Figure } from "../Figure.ts"

/** Made and read by this bench alone. */
const figure = Schema.declare((value): value is Figure => typeof value === "object" && value !== null)

export const WriterReport = Schema.fromJsonString(
  Schema.Struct({
    events: Schema.Int,
    documents: Schema.Int,
    writer: figure,
    bare: figure,
    reading: figure
  })
)
