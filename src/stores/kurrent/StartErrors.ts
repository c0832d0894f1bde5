/** Why a start on KurrentDB ends. Apart from what needs its client, which is loaded only where KurrentDB is configured. */
import * as Schema from "effect/Schema"
import type { StoreDefect, StoreUnavailable } from "../StoreError.ts"

/** The server is older than the first release with appends over many streams and their checks. */
export class KurrentVersion extends Schema.TaggedError<KurrentVersion>()("KurrentVersion", {
  found: Schema.String,
  needed: Schema.String
}) {
  override get message(): string {
    return `KurrentDB ${this.needed} or later is needed; this server says ${this.found}`
  }
}

/** There is no log under this prefix, and whoever looks at it founds none. */
export class KurrentLogAbsent extends Schema.TaggedError<KurrentLogAbsent>()("KurrentLogAbsent", {
  streams: Schema.String
}) {
  override get message(): string {
    return `there is no log in the streams ${this.streams}* of KurrentDB: nothing was changed; start the service on it`
  }
}

export type KurrentStartError = KurrentVersion | KurrentLogAbsent | StoreUnavailable | StoreDefect
