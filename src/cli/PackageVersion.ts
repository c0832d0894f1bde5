/** The version of this package, as `package.json` has it; the executable provides it. */
import * as Context from "effect/Context"

export const PackageVersion = Context.Reference<string>("effect-wallet/cli/PackageVersion", {
  defaultValue: () => "0.0.0"
})
