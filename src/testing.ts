/**
 * `effect-wallet/testing`: the given/when/then specification of the rules, bound to no
 * test runner.
 */
export * from "./domain/Specification.ts"
