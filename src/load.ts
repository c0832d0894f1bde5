/**
 * `effect-wallet/load`: loads as `wallet load` drives them, for programs: against a service (`layerHttp`) or an engine
 * of the process (`layerEngine`), with the report and the check as values.
 */
export { type ArrivalKind, type Phase } from "./load/ArrivalTimes.ts"
export { compareLoads, type ComparedRun, type ComparedSide, type Comparison } from "./load/CompareLoads.ts"
export { layerEngine } from "./load/EngineTarget.ts"
export { type HttpTargetOptions, layerHttp } from "./load/HttpTarget.ts"
export { findKnee, type Knee, type KneeOptions, type KneeStep } from "./load/KneeSearch.ts"
export { type LoadOptions, type LoadProgress, type Loop, runLoad } from "./load/Load.ts"
export { type CheckReport } from "./load/LoadCheck.ts"
export { type LoadKind, loadKinds, type Mix, parseMix } from "./load/LoadCommand.ts"
export { comparisonPage, type LoadDocument, loadPage } from "./load/LoadPage.ts"
export { type Latency, loadLines, type LoadReport } from "./load/LoadReport.ts"
export { type LoadThreads } from "./load/LoadThreads.ts"
export { LoadTarget } from "./load/LoadTarget.ts"
export { LoadImpossible } from "./load/LoadWallets.ts"
export { Pacer } from "./load/Pacer.ts"
export { parseScenario } from "./load/Scenario.ts"
export { judgeThreshold, parseThresholds, type Threshold, type ThresholdResult } from "./load/Thresholds.ts"
export { type Distribution } from "./load/WalletChoice.ts"
