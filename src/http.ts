/**
 * `effect-wallet/http`: the server of the API, for an app that serves it beside an engine of its own. The definition and
 * the client, which are exported here too, have doors without the server: `effect-wallet/api` and `effect-wallet/client`.
 */
export { WalletApi } from "./http/api/Api.ts"
export { ApiKeys, type CreatedKey, WeakSecret } from "./http/ApiKeys.ts"
export { Authorization, CurrentKey, RequiredScope } from "./http/api/Authorization.ts"
export { defaultHttpConfig, HttpConfig, type HttpConfigValues } from "./http/HttpConfig.ts"
export { CannotListen, httpServer, httpServerWith, type NodeServer, type NodeServerParts } from "./http/HttpServer.ts"
export type { Stopping } from "./http/handlers/FeedHandlers.ts"
export * as Problem from "./http/api/Problem.ts"
export * from "./http/api/ProblemClasses.ts"
export { WalletClient, type WalletClientApi, type WalletClientOptions } from "./http/WalletClient.ts"
