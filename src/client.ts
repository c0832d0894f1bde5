/**
 * `effect-wallet/client`: the typed client of the HTTP API. It runs where `fetch` does: no Node module and nothing of
 * the engine is behind it, so that a page in a browser can have it.
 */
export * as Problem from "./http/api/Problem.ts"
export * from "./http/api/ProblemClasses.ts"
export * as Schemas from "./http/api/Schemas.ts"
export { WalletClient, type WalletClientApi, type WalletClientOptions } from "./http/WalletClient.ts"
