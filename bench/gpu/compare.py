"""A program's dump beside the C target's: how far they lie apart, and whether that is rounding.

Two programs of one model round differently, so that a mode's tolerance is a few of its units, grown through the layers.
A wrong kernel errs by a share of a whole tensor."""
import math

# mode: (loss, outputs and the whole gradient, one tensor's gradient), as ||ours - theirs|| / ||theirs||.
TOLERANCES = {
    '64-true': (1e-10, 1e-9, 1e-7),
    '32-true': (1e-5, 5e-5, 5e-3),
    '16-mixed': (2e-3, 2e-2, 0.2),
    '16-true': (5e-3, 4e-2, 0.3),
    'bf16-mixed': (1e-2, 6e-2, 0.5),
    'bf16-true': (2e-2, 0.12, 0.7),
}
STATE_FACTOR = 2  # running statistics are sums of activations
# Of all parameters' updates. Adam's first ones are the learning rate by the gradient's sign, which is anybody's guess
# where the gradient vanishes but for rounding; no update at all would be 1, one with random signs 1.4.
UPDATES = 0.6
LEARNING_RATE = 1e-3


def squares(values):
    return math.fsum(x * x for x in values)


def distance(ours, theirs):
    """||ours - theirs||^2; infinite where either has what is no number, or they differ in length."""
    if len(ours) != len(theirs):
        return math.inf
    sum_ = squares(x - y for x, y in zip(ours, theirs))
    return math.inf if math.isnan(sum_) else sum_


def gradient_scale(theirs):
    """The mean square of the whole gradient's elements, as far as the sketch has them."""
    gradients = [values for name, values in theirs.items() if name.startswith('grad/')]
    return sum(map(squares, gradients)) / max(1, sum(map(len, gradients)))


def tensor_error(name, ours, theirs, scale):
    """Gradients that vanish but for rounding, as of a bias before a normalization, are measured by the others' size."""
    floor = 1e-3 * scale * len(theirs) if name.startswith('grad/') else 1e-30
    return math.sqrt(distance(ours, theirs) / max(squares(theirs), floor, 1e-300))


def tolerance_of(name, mode):
    loss, whole, tensor = TOLERANCES[mode]
    if name in ('loss', 'all updates'):
        return loss if name == 'loss' else UPDATES
    return whole if name.startswith('output/') else tensor if name.startswith('grad/') else STATE_FACTOR * whole


def whole_gradient(ours, theirs):
    names = [name for name in theirs if name.startswith('grad/')]
    apart = sum(distance(ours.get(name, ()), theirs[name]) for name in names)
    return math.sqrt(apart / max(1e-300, sum(squares(theirs[name]) for name in names)))


def updates_error(ours, theirs, steps):
    """Of all parameters together, beside the most that they can have moved."""
    names = [name for name in theirs if name.startswith('param/')]
    apart = sum(distance(ours.get(name, ()), theirs[name]) for name in names)
    return math.sqrt(apart / max(1, sum(len(theirs[name]) for name in names))) / (LEARNING_RATE * steps)


def compare(ours, theirs, mode):
    """(passes, whole gradient's error, worst tensor by error over tolerance, its error)."""
    scale = gradient_scale(theirs)
    errors = {name: tensor_error(name, ours.get(name, ()), values, scale) for name, values in theirs.items()
              if not name.startswith('param/')}
    errors['all updates'] = updates_error(ours, theirs, len(theirs['loss']))
    worst = max(errors, key=lambda name: errors[name] / tolerance_of(name, mode))
    whole = whole_gradient(ours, theirs)
    passes = whole <= TOLERANCES[mode][1] and errors[worst] <= tolerance_of(worst, mode)
    return passes, whole, worst, errors[worst]
