"""Tensors without numpy: safetensors files, recipes for weights that are too large to carry, and sketches of dumps.

A recipe has of each tensor either its bytes, compressed, or, where they are random numbers and do not compress, their
mean and deviation: write_recipe() draws such numbers from one table, the same on every machine. A sketch has some
hundred elements of each tensor of a dump: enough to tell a wrong kernel, and small."""
import array
import base64
import json
import math
import mmap
import random
import struct
import zlib

SIZES = {'F64': 8, 'F32': 4, 'F16': 2, 'BF16': 2, 'I64': 8, 'I32': 4, 'I16': 2, 'I8': 1, 'U8': 1, 'BOOL': 1}
CODES = {'F64': 'd', 'F32': 'f', 'I64': 'q', 'I32': 'i'}
TABLE = 65537  # a prime: rows of a matrix start at different places of the table
SAMPLES, ENDS = 384, 32  # of a sketch: elements from anywhere, and from either end


def count_of(shape):
    return math.prod(shape)


class Safetensors:
    """A file, mapped: .tensors is {name: (dtype, shape, begin, end)}."""

    def __init__(self, path):
        with open(path, 'rb') as file:
            self.map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        length, = struct.unpack('<Q', self.map[:8])
        header = json.loads(self.map[8:8 + length])
        self.metadata = header.pop('__metadata__', {})
        self.tensors = {name: (entry['dtype'], entry['shape'], *(8 + length + at for at in entry['data_offsets']))
                        for name, entry in header.items()}

    def bytes_of(self, name):
        _, _, begin, end = self.tensors[name]
        return self.map[begin:end]

    def elements(self, name, indices):
        dtype, _, begin, _ = self.tensors[name]
        size = SIZES[dtype]
        return [struct.unpack_from('<' + CODES[dtype], self.map, begin + size * i)[0] for i in indices]


def write_safetensors(path, tensors, metadata=None):
    """tensors: (name, dtype, shape, function that gives the bytes in pieces)."""
    header, at = {'__metadata__': metadata} if metadata else {}, 0
    for name, dtype, shape, _ in tensors:
        end = at + SIZES[dtype] * count_of(shape)
        header[name] = {'dtype': dtype, 'shape': shape, 'data_offsets': [at, end]}
        at = end
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 64)
    with open(path, 'wb') as file:
        file.write(struct.pack('<Q', len(text)) + text)
        for *_, pieces in tensors:
            file.writelines(pieces())


def uniform_table(seed):
    draw = random.Random(seed)
    return [2 * draw.random() - 1 for _ in range(TABLE)]


def encode(dtype, numbers):
    if dtype == 'F16':
        return struct.pack(f'<{len(numbers)}e', *numbers)
    if dtype == 'BF16':  # the upper halves of f32
        return array.array('H', array.array('f', numbers).tobytes())[1::2].tobytes()
    return array.array(CODES[dtype], numbers).tobytes()


def decode(dtype, data):
    if dtype == 'F16':
        return struct.unpack(f'<{len(data) // 2}e', data)
    if dtype == 'BF16':
        halves = array.array('H', bytes(2 * len(data)))
        halves[1::2] = array.array('H', data)
        return array.array('f', halves.tobytes())
    return array.array(CODES[dtype], data)


def drawn_pieces(dtype, count, mean, deviation, table, start):
    """`count` numbers from the table on, again and again, with this mean and deviation."""
    spread = deviation * 1.7320508075688772  # of a uniform distribution
    start %= TABLE
    numbers = encode(dtype, [mean + spread * u for u in table[start:] + table[:start]])
    whole, rest = divmod(count * SIZES[dtype], len(numbers))
    for _ in range(whole):
        yield numbers
    yield numbers[:rest]


def tensor_recipe(file, name):
    dtype, shape, *_ = file.tensors[name]
    data = file.bytes_of(name)
    packed = zlib.compress(data[:1 << 20], 6)
    if dtype not in ('F32', 'F64', 'F16', 'BF16') or len(data) < 1024 or 2 * len(packed) < len(data[:1 << 20]):
        return [name, dtype, shape, {'zlib': base64.b85encode(zlib.compress(data, 9)).decode()}]
    some = decode(dtype, data[:1 << 20])
    mean = math.fsum(some) / len(some)
    deviation = math.sqrt(math.fsum((x - mean) ** 2 for x in some) / len(some))
    return [name, dtype, shape, {'mean': mean, 'deviation': deviation}]


def recipe_of(path):
    """Of a weights file, less what only --export reads."""
    file = Safetensors(path)
    return {'metadata': file.metadata,
            'tensors': [tensor_recipe(file, name) for name in file.tensors if not name.startswith('pcc.export.')]}


def recipe_pieces(entry, index, table):
    _, dtype, shape, how = entry
    if 'zlib' in how:
        return lambda: [zlib.decompress(base64.b85decode(how['zlib']))]
    return lambda: drawn_pieces(dtype, count_of(shape), how['mean'], how['deviation'], table, 7919 * index)


def write_recipe(path, recipe):
    table = uniform_table(1)
    write_safetensors(path, [(*entry[:3], recipe_pieces(entry, i, table)) for i, entry in enumerate(recipe['tensors'])],
                      recipe['metadata'])


def integer_pieces(count, below, seed):
    draw = random.Random(seed)
    return lambda: [array.array('q', [draw.randrange(below) for _ in range(count)]).tobytes()]


def write_batch(path, case):
    """The batch that a case is probed with: case['inputs'] and ['target'] are [name, shape, bound of integers or 0]."""
    table, tensors = uniform_table(2), []
    for i, (name, shape, below) in enumerate(case['inputs'] + case['target']):
        count = count_of(shape)
        pieces = (integer_pieces(count, below, i) if below else
                  lambda count=count: drawn_pieces('F32', count, 0.0, 1.0, table, 0))
        tensors.append((name, 'I64' if below else 'F32', shape, pieces))
    write_safetensors(path, tensors)


def sample_indices(name, count):
    if count <= SAMPLES + 2 * ENDS:
        return range(count)
    draw = random.Random(name)
    ends = set(range(ENDS)) | set(range(count - ENDS, count))
    return sorted(ends | {draw.randrange(count) for _ in range(SAMPLES)})


def sketch_of(path):
    """{name: elements}, of a dump."""
    file = Safetensors(path)
    return {name: file.elements(name, sample_indices(name, count_of(shape)))
            for name, (dtype, shape, *_) in file.tensors.items() if dtype in CODES}


def write_sketch(path, sketch):
    header = json.dumps([[name, len(values)] for name, values in sketch.items()]).encode()
    numbers = array.array('f', [x for values in sketch.values() for x in values]).tobytes()
    with open(path, 'wb') as file:
        file.write(struct.pack('<Q', len(header)) + header + zlib.compress(numbers, 9))


def read_sketch(path):
    with open(path, 'rb') as file:
        data = file.read()
    length, = struct.unpack('<Q', data[:8])
    numbers, sketch, at = array.array('f', zlib.decompress(data[8 + length:])), {}, 0
    for name, count in json.loads(data[8:8 + length]):
        sketch[name] = numbers[at:at + count]
        at += count
    return sketch
