/**
 * `effect-wallet/http`: the API as a definition, its typed client, and the server for
 * an app that serves it beside an engine of its own.
 */
export { WalletApi } from "./http/api/Api.ts"
export { ApiKeys, type CreatedKey, WeakSecret } from "./http/ApiKeys.ts"
export { Authorization, CurrentKey, RequiredScope } from "./http/api/Authorization.ts"
export { defaultHttpConfig, HttpConfig, type HttpConfigValues } from "./http/HttpConfig.ts"
export { CannotListen, httpServer, httpServerWith } from "./http/HttpServer.ts"
export * as Problem from "./http/api/Problem.ts"
export { WalletClient, type WalletClientOptions } from "./http/WalletClient.ts"
