/** The failure of an import that a row is to blame for. */
import * as Schema from "effect/Schema"

/** A row that does not fit. Found before anything was booked, unless it says otherwise. */
export class RowRefused extends Schema.TaggedError<RowRefused>()("RowRefused", {
  file: Schema.String,
  row: Schema.Int,
  line: Schema.Int,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.file}, row ${this.row} (line ${this.line}): ${this.reason}`
  }
}
