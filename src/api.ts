/**
 * `effect-wallet/api`: the HTTP API as a definition, of which its server, its client and the OpenAPI document are made.
 * No Node module and nothing of the engine is behind it.
 */
export { WalletApi } from "./http/api/Api.ts"
export { Authorization, CurrentKey, hasScope, RequiredScope } from "./http/api/Authorization.ts"
export { openApiDocument } from "./http/api/OpenApiDocument.ts"
export * as Problem from "./http/api/Problem.ts"
export * from "./http/api/ProblemClasses.ts"
export * as Schemas from "./http/api/Schemas.ts"
