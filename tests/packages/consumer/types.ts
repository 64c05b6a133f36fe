import * as cpu from '@loretta-ts/backend-cpu';
import * as gpu from '@loretta-ts/backend-gpu';
import * as core from '@loretta-ts/core';
import * as testing from '@loretta-ts/core/testing';
import * as loretta from '@loretta-ts/loretta';
import * as lorettaNode from '@loretta-ts/loretta/node';
import * as nn from '@loretta-ts/nn';
import * as nnNode from '@loretta-ts/nn/node';
import * as tokenizers from '@loretta-ts/tokenizers';

export const all: object[] = [
  core,
  testing,
  cpu,
  gpu,
  nn,
  nnNode,
  tokenizers,
  loretta,
  lorettaNode,
];
