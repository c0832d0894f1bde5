/**
 * `effect-wallet/client`: the typed client of the HTTP API, and the engine's service over it. They run where `fetch`
 * does: no Node module, no store and no actor is behind them, so that a page in a browser can have them.
 */
export type { EngineService } from "./engine/EngineApi.ts"
export * as Problem from "./http/api/Problem.ts"
export * from "./http/api/ProblemClasses.ts"
export * as Schemas from "./http/api/Schemas.ts"
export { WalletClient, type WalletClientApi, type WalletClientOptions } from "./http/WalletClient.ts"
export { remoteEngine } from "./remote/RemoteEngine.ts"
export { RemoteMisconfigured, type RemoteOptions } from "./remote/RemoteOptions.ts"
