/** The endpoint that tells of the nodes. */
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import { doc, noQuery } from "./EndpointParts.ts"
import { Authorization, RequestForm, RequiredScope } from "./Authorization.ts"
import { ClusterJson } from "./Schemas.ts"

const view = HttpApiEndpoint.get("view", "/v1/cluster", { query: noQuery, success: ClusterJson })
  .annotate(RequiredScope, "admin")
  .annotateMerge(
    doc(
      "The nodes, and this one's partitions",
      "admin",
      "`nodes` and `unowned` are null while the store of the leases does not answer; a single node has no leases."
    )
  )

export class ClusterApi extends HttpApiGroup.make("cluster")
  .add(view)
  .middleware(RequestForm)
  .middleware(Authorization) {}
