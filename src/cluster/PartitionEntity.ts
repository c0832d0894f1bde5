/**
 * The one entity per partition: how other nodes reach the wallets of this one.
 *
 * It holds nothing of a wallet. A request that arrives, by whichever partition's entity,
 * goes to the node's own mailboxes, each call to its wallet's; what is not this node's
 * comes back as such. Definition only; `PartitionHandlers` answers.
 */
import * as Schema from "effect/Schema"
import * as ClusterSchema from "effect/cluster/ClusterSchema"
import * as Entity from "effect/cluster/Entity"
import * as Rpc from "effect/rpc/Rpc"

/** Payloads and answers are texts of `CallWire`: checked there, by the codecs of the domain. */
const text = Schema.String

/** A batch of calls, in order per wallet. Answered soon: what takes longer is `Pending`. `null`: unreadable, nothing has happened. */
const ask = Rpc.make("Ask", { payload: text, success: Schema.NullOr(text) })

/** The answers of a batch that were pending, by its token; `null`: this node knows nothing of it. */
const collect = Rpc.make("Collect", { payload: text, success: Schema.NullOr(text) })

const current = Rpc.make("Current", { payload: text, success: text })

/** The epoch under which this node owns the partition; `null`: it does not. */
const owned = Rpc.make("Owned", { payload: Schema.Int, success: Schema.NullOr(Schema.Int) })

/** A span per message would drown those of the commands. */
export const PartitionEntity = Entity.make("WalletPartition", [ask, collect, current, owned]).annotateRpcs(
  ClusterSchema.ClientTracingEnabled,
  false
)
