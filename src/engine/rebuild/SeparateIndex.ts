/** Whether search has an index of its own. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { SearchIndex } from "../../stores/SearchIndex.ts"

/** Search reads the rows: it has nothing of its own to rebuild. */
export class SearchNotSeparate extends Schema.TaggedError<SearchNotSeparate>()("SearchNotSeparate", {}) {
  override get message(): string {
    return "search reads the rows of PostgreSQL: it has nothing of its own to rebuild"
  }
}

/** The index; fails where there is none. */
export const separateIndex: Effect.Effect<SearchIndex["Service"], SearchNotSeparate> = Effect.flatMap(
  Effect.serviceOption(SearchIndex),
  Option.match({ onNone: () => Effect.fail(new SearchNotSeparate()), onSome: Effect.succeed })
)
