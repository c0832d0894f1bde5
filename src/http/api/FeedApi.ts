/** The endpoint of the feed: every event of the log, as server-sent events. */
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as Schema from "effect/Schema"
import { doc } from "./EndpointParts.ts"
import { Authorization, RequestForm, RequiredScope } from "./Authorization.ts"
import { PositionGone, RateLimited } from "./Problem.ts"
import { FeedEvent } from "./Schemas.ts"
import { Position } from "./SchemaValues.ts"

const follow = HttpApiEndpoint.get("follow", "/v1/feed", {
  headers: { "last-event-id": Schema.optionalKey(Position) },
  query: { after: Schema.optionalKey(Position) },
  success: HttpApiSchema.StreamSse({ events: FeedEvent }),
  error: [PositionGone, RateLimited]
})
  .annotate(RequiredScope, "wallets:read")
  .annotateMerge(
    doc(
      "Follow all events",
      "wallets:read",
      "Server-sent events from the log: those after the position `after` (or `Last-Event-ID`, which counts when both " +
        "are given; neither: from the first), then live. At least once, in order per wallet. A comment every few " +
        "seconds keeps the connection. It ends when the service stops or the key is revoked: connect again, from " +
        "the last `id`. A position beyond the log's head: 410."
    )
  )

export class FeedApi extends HttpApiGroup.make("feed").add(follow).middleware(RequestForm).middleware(Authorization) {}
