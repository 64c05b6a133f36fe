"""PyTorch's side of a contest, eager. Argument: JSON of {"threads": n, "core": name or null}."""
import ctypes
import json
import os
import resource
import struct
import sys
import time

SETTINGS = json.loads(sys.argv[1])
THREADS = SETTINGS['threads']
for name in ('OPENBLAS_CORETYPE', 'OPENBLAS_L2_SIZE'):
    os.environ.pop(name, None)

if SETTINGS['core'] is not None:  # the parent found OpenBLAS faster with it than with its own choice
    os.environ['OPENBLAS_CORETYPE'] = SETTINGS['core']
os.environ['OMP_NUM_THREADS'] = os.environ['OPENBLAS_NUM_THREADS'] = str(THREADS)
if THREADS > 1:  # otherwise two pools spin against each other
    os.environ['OMP_WAIT_POLICY'] = 'PASSIVE'

import numpy as np  # noqa: E402
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

torch.set_num_threads(THREADS)
torch.manual_seed(0)


def pattern(size, seed, scale=1.0):
    i = np.arange(size, dtype=np.int64)
    return torch.from_numpy(((((i * 7919 + seed * 104729) % 1999) / 999.5 - 1) * scale).astype(np.float32))


def pattern_ids(size, vocab):
    return torch.arange(size) * 7919 % vocab


def mean_abs(t):
    return t.detach().abs().double().mean().item()


class Block(nn.Module):
    def __init__(self, p):
        super().__init__()
        d, self.heads = p['dim'], p['heads']
        self.ln1, self.ln2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.o = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.up, self.down = nn.Linear(d, p['ffDim']), nn.Linear(p['ffDim'], d)

    def forward(self, x, hidden, cache):
        b, t, d = x.shape
        heads = (b, t, self.heads, d // self.heads)
        q, k, v = (y.view(heads).transpose(1, 2) for y in self.qkv(self.ln1(x)).split(d, -1))
        if cache is not None:
            if cache:
                k, v = torch.cat([cache[0], k], 2), torch.cat([cache[1], v], 2)
            cache[:] = [k, v]
        scores = (q @ k.transpose(-1, -2)) * (d // self.heads) ** -0.5
        if hidden is not None:
            scores = scores.masked_fill(hidden, float('-inf'))
        out = (torch.softmax(scores, -1) @ v).transpose(1, 2).reshape(b, t, d)
        x = x + self.o(out)
        return x + self.down(F.gelu(self.up(self.ln2(x)), approximate='tanh'))


class Gpt(nn.Module):
    def __init__(self, p, weights):
        super().__init__()
        self.tok = nn.Embedding(p['vocab'], p['dim'])
        self.pos = nn.Parameter(torch.zeros(p['length'], p['dim']))
        self.blocks = nn.ModuleList(Block(p) for _ in range(p['layers']))
        self.ln = nn.LayerNorm(p['dim'])
        self.head = nn.Linear(p['dim'], p['vocab'], bias=False)
        mask = torch.triu(torch.ones(p['length'], p['length'], dtype=torch.bool), 1)
        self.register_buffer('mask', mask, persistent=False)
        self.load(weights)

    def load(self, path):
        raw = open(path, 'rb').read()
        size = struct.unpack('<Q', raw[:8])[0]
        w = {}
        for name, entry in json.loads(raw[8:8 + size]).items():
            if name != '__metadata__':
                start, end = (8 + size + o for o in entry['data_offsets'])
                w[name] = torch.from_numpy(np.frombuffer(raw[start:end], np.float32).copy()).view(entry['shape'])
        state = {'tok.weight': w['model.embed_tokens.weight'], 'pos': w['model.embed_positions.weight'],
                 'ln.weight': w['model.norm.weight'], 'ln.bias': w['model.norm.bias'], 'head.weight': w['lm_head.weight']}
        for i in range(len(self.blocks)):
            theirs, ours = f'model.layers.{i}.', f'blocks.{i}.'
            for kind in ('weight', 'bias'):
                at = lambda name: w[f'{theirs}{name}.{kind}']  # noqa: E731
                state[f'{ours}ln1.{kind}'] = at('input_layernorm')
                state[f'{ours}ln2.{kind}'] = at('post_attention_layernorm')
                state[f'{ours}qkv.{kind}'] = torch.cat([at(f'self_attn.{x}_proj') for x in 'qkv'])
                state[f'{ours}o.{kind}'] = at('self_attn.o_proj')
                state[f'{ours}up.{kind}'] = at('mlp.up_proj')
                state[f'{ours}down.{kind}'] = at('mlp.down_proj')
        self.load_state_dict(state)

    def forward(self, ids, caches=None, start=0):
        """[b, t] -> hidden states [b, t, d]."""
        t = ids.shape[1]
        x = self.tok(ids) + self.pos[start:start + t]
        hidden = self.mask[:t, :t] if t > 1 else None
        for i, block in enumerate(self.blocks):
            x = block(x, hidden, None if caches is None else caches[i])
        return self.ln(x)


def adamw(model):
    params = list(model.parameters())
    groups = [{'params': [p for p in params if p.ndim >= 2], 'weight_decay': 0.01},
              {'params': [p for p in params if p.ndim < 2], 'weight_decay': 0.0}]
    return torch.optim.AdamW(groups, lr=1e-3)


class Work:
    def __init__(self, run, check=None, after=None):
        self.run, self.check, self.after = run, check, after


def gemm(c):
    lead = () if c['batch'] == 1 else (c['batch'],)

    def operand(rows, cols, seed, transposed):
        t = pattern(c['batch'] * rows * cols, seed).view(lead + ((cols, rows) if transposed else (rows, cols)))
        return t.transpose(-1, -2) if transposed else t
    a, b = operand(c['m'], c['k'], 1, c['transA']), operand(c['k'], c['n'], 2, c['transB'])

    def check():
        y = torch.matmul(a, b)
        return [mean_abs(y), y.reshape(-1)[-1].item()]
    return Work(lambda: torch.matmul(a, b), check)


def ops(c):
    rows, cols = c['rows'], c['cols']
    x, y = pattern(rows * cols, 3, 3.0).view(rows, cols), pattern(rows * cols, 4).view(rows, cols)
    weight, bias, ids = torch.ones(cols), torch.zeros(cols), pattern_ids(rows, cols)
    op = {
        'softmax': lambda: torch.softmax(x, -1),
        'layer norm': lambda: F.layer_norm(x, (cols,), weight, bias),
        'gelu': lambda: F.gelu(x, approximate='tanh'),
        'add': lambda: torch.add(x, y),
        'cross-entropy': lambda: F.cross_entropy(x, ids, reduction='none'),
        'sum of rows': lambda: x.sum(1),
        'transpose': lambda: x.t().contiguous(),
    }[c['name']]
    return Work(op, lambda: [mean_abs(op())])


def overhead(c):
    x, y = pattern(4, 1).requires_grad_(), pattern(4, 2)
    spent = [0.0, 0]

    def run():
        start = time.perf_counter()
        z = x
        for _ in range(c['ops']):
            z = z + y
        spent[0] += time.perf_counter() - start
        spent[1] += 1
        x.grad = None
        z.sum().backward()

    def after(cpu):
        per_op = spent[0] / spent[1] / c['ops'] * 1e6
        spent[:] = [0.0, 0]
        return {'recordMicros': per_op, 'perOpMicros': cpu * 1000 / c['ops']}

    def check():
        for _ in range(300):
            run()
        spent[:] = [0.0, 0]
        return [(x + c['ops'] * y).sum().item()]
    return Work(run, check, after)


def attention(c):
    t, shape = c['length'], (1, c['length'], c['heads'], c['headDim'])
    size = t * c['heads'] * c['headDim']
    leaves = [pattern(size, s).view(shape).transpose(1, 2).contiguous().requires_grad_() for s in (1, 2, 3)]
    q, k, v = leaves
    mask = torch.triu(torch.ones(t, t, dtype=torch.bool), 1)

    def run():
        for x in leaves:
            x.grad = None
        scores = ((q @ k.transpose(-1, -2)) * c['headDim'] ** -0.5).masked_fill(mask, float('-inf'))
        loss = (torch.softmax(scores, -1) @ v).sum()
        loss.backward()
        return loss
    return Work(run, lambda: [run().item()] + [mean_abs(x.grad) for x in leaves])


def train(c):
    p = c['preset']
    model = Gpt(p, c['weights'])
    optimizer = adamw(model)
    n = p['batch'] * p['length']
    sequence = pattern_ids(n + 1, p['vocab'])
    ids, targets = sequence[:n].view(p['batch'], p['length']), sequence[1:]

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(model.head(model(ids)).view(-1, p['vocab']), targets)
        loss.backward()
        optimizer.step()
        return loss.item()
    return Work(step, lambda: [step() for _ in range(3)])


@torch.no_grad()
def decode(model, prompt, tokens, sample):
    """[b, t] -> [b, tokens], with a cache."""
    caches, ids, out, start = [[] for _ in model.blocks], prompt, [], 0
    for _ in range(tokens):
        logits = model.head(model(ids, caches, start)[:, -1])
        start += ids.shape[1]
        ids = torch.multinomial(torch.softmax(logits, -1), 1) if sample else logits.argmax(-1, keepdim=True)
        out.append(ids)
    return torch.cat(out, 1)


def generate(c):
    model = Gpt(c['preset'], c['weights']).eval()
    prompt = torch.zeros(c['batch'], 1, dtype=torch.long)

    def run():
        return decode(model, prompt, c['tokens'], False)
    return Work(run, lambda: run()[0].tolist())


def loretta_step(c):
    p = c['preset']
    model = Gpt(p, c['weights'])
    optimizer = adamw(model)
    known = c['prompt'] + c['generated']
    rows = pattern_ids(c['batch'] * p['length'], p['vocab']).view(c['batch'], p['length'])
    given, real = rows[:, :c['prompt']], rows[:, known:]

    def step(sample=True):
        whole = torch.cat([given, decode(model, given, c['generated'], sample), real], 1)
        optimizer.zero_grad(set_to_none=True)
        hidden = model(whole[:, :-1])
        logits = model.head(hidden[:, known - 1:])
        loss = F.cross_entropy(logits.reshape(-1, p['vocab']), real.reshape(-1))
        loss.backward()
        optimizer.step()
        return loss.item()
    return Work(step, lambda: [step(False) for _ in range(3)])


SUBJECTS = {'gemm': gemm, 'ops': ops, 'overhead': overhead, 'attention': attention, 'train': train,
            'generate': generate, 'loretta-step': loretta_step}


def cpu_time():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def peak_rss():
    for line in open('/proc/self/status'):
        if line.startswith('VmHWM'):
            return int(line.split()[1]) / 1024
    return 0


def blas():
    """The library of matrix products and the kernels that it runs, for example OpenBLAS SkylakeX."""
    for line in open('/proc/self/maps'):
        path = line.split()[-1]
        if 'openblas' in path and '.so' in path:
            core = getattr(ctypes.CDLL(path), 'openblas_get_corename', None)
            if core is not None:
                core.restype = ctypes.c_char_p
                return f'OpenBLAS {core().decode()}'
    return 'unknown BLAS'


def probe():
    """The kernels, and GFLOP/s of a product, the median of a few: for the parent's choice of kernels."""
    a, rates = torch.rand(512, 512), []
    for _ in range(15):
        start = cpu_time()
        for _ in range(10):
            torch.matmul(a, a)
        rates.append(10 * 2 * 512 ** 3 / (cpu_time() - start) / 1e9)
    print('@@' + json.dumps({'blas': blas(), 'rate': sorted(rates)[7]}))


class Child:
    work, reps = None, 1

    def about(self, _):
        return {'version': f'PyTorch {torch.__version__} ({blas()})', 'threads': torch.get_num_threads(), 'simd': 'native'}

    def prepare(self, message):
        request = message['request']
        self.work = SUBJECTS[request['subject']](request)
        check = self.work.check() if self.work.check else []
        start, self.reps = time.perf_counter(), 1
        while True:
            before = time.perf_counter()
            for _ in range(self.reps):
                self.work.run()
            now = time.perf_counter()
            if (now - start) * 1000 > message['target']:
                self.reps = max(1, round(message['target'] / 1000 / ((now - before) / self.reps)))
                return {'reps': self.reps, 'check': check}
            self.reps *= 2

    def run(self, _):
        cpu, start = cpu_time(), time.perf_counter()
        for _ in range(self.reps):
            self.work.run()
        wall, cpu = time.perf_counter() - start, cpu_time() - cpu
        one = {'wall': wall * 1000 / self.reps, 'cpu': cpu * 1000 / self.reps}
        return {**one, 'extra': self.work.after(one['cpu']) if self.work.after else {}}

    def end(self, _):
        self.work = None
        return {'rss': peak_rss()}


def main():
    child = Child()
    for line in sys.stdin:
        message = json.loads(line)
        try:
            answer = getattr(child, message['op'])(message)
        except Exception as error:  # the parent reports it
            answer = {'error': str(error).split('\n')[0]}
        print('@@' + json.dumps(answer), flush=True)


probe() if SETTINGS.get('probe') else main()
