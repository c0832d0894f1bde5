/** All scenarios. */
import { compensations } from "./Compensation.ts"
import { kills } from "./Kills.ts"
import { networks } from "./Networks.ts"
import { outages } from "./Outages.ts"
import { postgresErrors } from "./PostgresErrors.ts"
import type { Scenario } from "./Scenario.ts"
import { slowStores } from "./SlowStores.ts"
import { transfers } from "./Transfers.ts"
import { volumes } from "./Volumes.ts"

export const scenarios: ReadonlyArray<Scenario> = [
  ...outages,
  ...networks,
  ...postgresErrors,
  ...slowStores,
  ...kills,
  ...compensations,
  ...volumes,
  ...transfers
]
