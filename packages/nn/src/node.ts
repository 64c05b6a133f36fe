/**
 * Files for `@loretta-ts/nn`: checkpoints, safetensors, and models in folders. Node only.
 * @module @loretta-ts/nn/node
 */
export {
  loadCheckpoint,
  loadNpy,
  loadSafetensors,
  readCheckpointMetadata,
  readSafetensorsHeader,
  saveCheckpoint,
  saveNpy,
  saveSafetensors,
  writeFileAtomic,
} from './node/files';
export { recoverFolder } from './node/folder';
export { loadPretrained, type Pretrained } from './node/load-pretrained';
export { loadHfFolder, loadHfTensors, loadLlama2c } from './node/models';
export { keepCheckpoint, type KeepOptions } from './node/rotation';
export { type SavePretrainedOptions, savePretrained } from './node/save-pretrained';
