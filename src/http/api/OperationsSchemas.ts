/** The documents of the wire that are for whoever runs the service. */
import * as Schema from "effect/Schema"

// ---- Health ----

export const HealthJson = Schema.Struct({
  status: Schema.Literals(["ok", "degraded", "down"]),
  checks: Schema.Array(
    Schema.Struct({
      name: Schema.String,
      status: Schema.Literals(["ok", "degraded", "down"]),
      detail: Schema.NullOr(Schema.String)
    })
  )
}).annotate({ identifier: "Health" })

// ---- Cluster ----

const Count = Schema.Int

export const ClusterJson = Schema.Struct({
  partitions: Count,
  leases: Schema.Literals(["answering", "grace", "none"]),
  nodes: Schema.NullOr(
    Schema.Array(
      Schema.Struct({
        address: Schema.NullOr(Schema.String),
        incarnation: Schema.String,
        healthy: Schema.Boolean,
        partitions: Count
      })
    )
  ),
  unowned: Schema.NullOr(Count),
  node: Schema.Struct({
    incarnation: Schema.String,
    owned: Schema.Array(Schema.Struct({ partition: Count, epoch: Count })),
    residentWallets: Count,
    busyWallets: Count,
    waitingCommands: Count,
    outgoingCommands: Count
  })
}).annotate({ identifier: "Cluster" })
