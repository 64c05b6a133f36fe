/**
 * The parts of `@loretta-ts/loretta` that need a file system: data sets from files, runs on disk, the report.
 * @module @loretta-ts/loretta/node
 */
export { mnistFolder, mnistPackage } from './data/node/mnistFiles';
export {
  type EmbeddedOptions,
  embeddedSvl,
  type FolderOptions,
  type FolderTexts,
  folderSvl,
  type LearnedSvl,
  type LearnedTokens,
  SVL_PROFILES,
  type SvlSizes,
} from './data/node/svl';
export { type LoadedArm, loadArm } from './node/load-arm';
export { type LoadDataOptions, loadData, trainDataOf } from './node/load-data';
export { type LanguageModel, loadLanguageModel } from './node/pretrained';
export { reportPage, writeReport } from './node/report';
export {
  checkpointPath,
  type DataChoice,
  makeFolder,
  type RunFile,
  readRun,
  saveRun,
  saveTokenizers,
  tokenizerPath,
} from './node/run-folder';
export { workerRunner } from './node/worker-runner';
