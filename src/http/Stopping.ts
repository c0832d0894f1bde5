/** Says when the server begins to stop, to answers that would never end by themselves. */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Layer from "effect/Layer"

export class Stopping extends Context.Service<
  Stopping,
  {
    /** Done when no more requests are taken. */
    readonly begun: Deferred.Deferred<void>
  }
>()("effect-wallet/http/Stopping") {
  static readonly layer = Layer.sync(Stopping, () => ({ begun: Deferred.makeUnsafe<void>() }))
}
