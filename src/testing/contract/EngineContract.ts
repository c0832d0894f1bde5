/**
 * What every layer of `WalletEngine` must do, whatever it works on: in this process or behind a service, alone or in a
 * cluster. Its cases are a program's view; they make wallets of their own and can share an engine with anything.
 *
 * The engine's clock may be another machine's, seconds off. A remote engine's key has the scope `admin`.
 */
import type { WalletEngine } from "../../engine/WalletEngine.ts"
import type { ContractCase } from "./ContractCase.ts"
import { engineHoldsContract } from "./EngineHoldsContract.ts"
import { engineMovementsContract } from "./EngineMovementsContract.ts"
import { engineReadsContract } from "./EngineReadsContract.ts"
import { engineTransfersContract } from "./EngineTransfersContract.ts"
import { engineWalletsContract } from "./EngineWalletsContract.ts"

export const engineContract: ReadonlyArray<ContractCase<WalletEngine>> = [
  ...engineWalletsContract,
  ...engineMovementsContract,
  ...engineHoldsContract,
  ...engineTransfersContract,
  ...engineReadsContract
]
