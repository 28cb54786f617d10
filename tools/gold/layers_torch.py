"""Losses and gradients of float32 networks by PyTorch in float64, from the same float32 parameters. Needs PyTorch.

Together the networks hold each layer that has a float32 form, with strides, padding, dilation and groups, and both losses.
"""
import numpy as np

from tables import array, bits

TARGET, VERSION, SEED = "tests/golden/layers_torch.inc", 2, 5
TOLERANCE = 1e-11  # float64 sums, in an order that the machine decides
SAMPLES = 3

HEAD = """
// Parameters, samples and targets are the bits of float32; gradients are of the mean loss, in the order of the parameters:
// layer by layer weights [O, K, C / groups] ([I, K, O / groups] of a transposed convolution, [O, R, K, C / groups] of images), then biases.
struct TorchNetwork {
  const char* name;
  const uint32_t *parameters, *x, *targets;  // targets: or null
  const int32_t* labels;
  double loss;
  const double* gradients;
  const double* running;  // statistics of batch norms, layer by layer means, then variances; or null
};
""".strip()


def networks(torch):
    """Name, shape of a sample [steps, channels] or [height, width, channels], classes, whether targets are values, layers as functions of [C, T]."""
    nn = torch.nn

    class StepMajor(nn.Module):
        def forward(self, x):
            return x.transpose(1, 2).flatten(1)

    class OfSteps(nn.Module):
        """A layer that works on the last dimension of [T, C]."""

        def __init__(self, layer):
            super().__init__()
            self.layer = layer

        def forward(self, x):
            return self.layer(x.transpose(1, 2)).transpose(1, 2)

    class Residual(nn.Module):
        def __init__(self, *layers):
            super().__init__()
            self.layers = nn.Sequential(*layers)

        def forward(self, x):
            return self.layers(x) + x

    class Branches(nn.Module):
        """Channels of all, the last one's first."""

        def __init__(self, *layers):
            super().__init__()
            self.layers = nn.ModuleList(layers)

        def forward(self, x):
            return torch.cat([layer(x) for layer in reversed(self.layers)], 1)

    yield "strided", (10, 4), 3, False, nn.Sequential(
        nn.Conv1d(4, 6, 3, stride=2, padding=1, groups=2), nn.ReLU(), nn.MaxPool1d(2), StepMajor(), nn.Linear(12, 3))
    yield "normalized", (12, 3), 5, True, nn.Sequential(
        nn.Conv1d(3, 4, 3, dilation=2, padding=2), nn.AvgPool1d(3, 2), OfSteps(nn.LayerNorm(4)), nn.ReLU(),
        nn.AdaptiveAvgPool1d(1), StepMajor(), nn.Linear(4, 5))
    yield "dense", (1, 7), 4, False, nn.Sequential(
        StepMajor(), nn.Linear(7, 6), nn.LayerNorm(6), nn.ReLU(), nn.Linear(6, 4))
    yield "transposed", (5, 3), 48, True, nn.Sequential(
        nn.Conv1d(3, 4, 3, padding=1), nn.ReLU(), nn.ConvTranspose1d(4, 5, 4, stride=3, padding=2, output_padding=1), nn.ReLU(),
        nn.ConvTranspose1d(5, 4, 2, stride=1, padding=1), StepMajor())
    yield "activated", (8, 3), 3, False, nn.Sequential(
        nn.Conv1d(3, 4, 3), nn.Tanh(), nn.Conv1d(4, 5, 2), nn.ReLU6(), nn.Conv1d(5, 4, 3), nn.LeakyReLU(), StepMajor(),
        nn.Linear(12, 6), nn.Sigmoid(), nn.Linear(6, 5), nn.LeakyReLU(0.25), nn.Linear(5, 3))
    for name in ("weighted", "smoothed", "absolute", "huber", "binary", "summed"):
        yield name, (1, 7), 4, name not in ("weighted", "smoothed"), nn.Sequential(
            StepMajor(), nn.Linear(7, 6), nn.Tanh(), nn.Linear(6, 4))
    yield "grouped", (9, 4), 3, False, nn.Sequential(
        nn.Conv1d(4, 6, 3), nn.GroupNorm(3, 6), nn.ReLU(), nn.Conv1d(6, 4, 2, bias=False), nn.InstanceNorm1d(4, affine=True),
        nn.ReLU(), nn.AdaptiveAvgPool1d(1), StepMajor(), nn.Linear(4, 3))
    yield "batched", (9, 4), 3, False, nn.Sequential(
        nn.Conv1d(4, 6, 3), nn.BatchNorm1d(6), nn.ReLU(), nn.Conv1d(6, 4, 2, bias=False), nn.BatchNorm1d(4, eps=0.01, momentum=0.3),
        nn.ReLU(), nn.AdaptiveAvgPool1d(1), StepMajor(), nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Linear(5, 3))


    class PixelMajor(nn.Module):
        def forward(self, x):
            return x.permute(0, 2, 3, 1).flatten(1)

    yield "image", (9, 8, 4), 3, False, nn.Sequential(
        nn.Conv2d(4, 6, (3, 2), stride=(1, 2), padding=(2, 1), dilation=(2, 1), groups=2), nn.ReLU(),
        nn.MaxPool2d((2, 3), stride=(2, 1), padding=(1, 1)), nn.Conv2d(6, 6, 3, padding=1, groups=6), nn.ReLU(),
        nn.AvgPool2d((3, 2), stride=(2, 1), padding=(1, 1)), nn.Conv2d(6, 4, 1), PixelMajor(), nn.Linear(72, 3))
    yield "padded", (17, 3), 3, False, nn.Sequential(
        nn.Conv1d(3, 5, 3, padding=1), nn.MaxPool1d(3, 2, padding=1), nn.AvgPool1d(3, 2, padding=1),
        nn.AvgPool1d(4, 1, padding=2, count_include_pad=False), StepMajor(), nn.Linear(30, 3))
    yield "framed", (6, 7, 2), 3, False, nn.Sequential(
        nn.Conv2d(2, 4, 2), nn.ReLU(), nn.AvgPool2d((3, 2), stride=(2, 1), padding=(1, 1), count_include_pad=False),
        nn.Conv2d(4, 4, 1), nn.AvgPool2d((2, 3), padding=(1, 0), count_include_pad=False), PixelMajor(), nn.Linear(16, 3))
    yield "adaptive", (17, 3), 3, False, nn.Sequential(
        nn.Conv1d(3, 5, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool1d(7), nn.Conv1d(5, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool1d(8),
        nn.AdaptiveAvgPool1d(4), StepMajor(), nn.Linear(16, 3))
    yield "tiles", (7, 6, 2), 3, False, nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d((5, 4)), nn.Conv2d(4, 5, 1), nn.AdaptiveAvgPool2d((7, 2)),
        PixelMajor(), nn.Linear(70, 3))
    yield "shares", (9, 3), 4, True, nn.Sequential(
        nn.Conv1d(3, 5, 3), nn.Softmax(1), nn.Conv1d(5, 4, 3), nn.ReLU(), StepMajor(), nn.Linear(20, 4), nn.Softmax(1))
    yield "spread", (5, 3), 48, True, nn.Sequential(
        nn.Conv1d(3, 4, 3, padding=1), nn.ReLU(),
        nn.ConvTranspose1d(4, 6, 4, stride=3, padding=2, output_padding=1, groups=2), nn.ReLU(),
        nn.ConvTranspose1d(6, 6, 3, stride=1, padding=1, groups=6), nn.ReLU(),
        nn.ConvTranspose1d(6, 4, 2, stride=1, padding=1, groups=2), StepMajor())
    yield "residual", (9, 4), 3, False, nn.Sequential(
        nn.Conv1d(4, 5, 3), nn.ReLU(), Residual(nn.Conv1d(5, 5, 3, padding=1), nn.ReLU(), nn.Conv1d(5, 5, 3, padding=1)), nn.ReLU(),
        nn.AdaptiveAvgPool1d(1), StepMajor(), nn.Linear(5, 3))
    yield "branches", (9, 4), 3, False, nn.Sequential(
        nn.Conv1d(4, 5, 3), nn.ReLU(), Branches(nn.Conv1d(5, 4, 1), nn.Conv1d(5, 3, 3, padding=1)), nn.ReLU(),
        nn.AdaptiveAvgPool1d(1), StepMajor(), nn.Linear(7, 3))


def stored(tensor):
    """[O, C, K] as [O, K, C], [O, C, R, K] as [O, R, K, C]; others as they are."""
    orders = {3: (0, 2, 1), 4: (0, 2, 3, 1)}
    return tensor.permute(orders.get(tensor.dim(), tuple(range(tensor.dim())))).detach().flatten().tolist()


def lines():
    import torch
    torch.manual_seed(SEED)
    torch.set_default_dtype(torch.float64)
    yield HEAD
    rows = []
    for name, shape, classes, has_values, network in networks(torch):
        for p in network.parameters():  # values that float32 holds
            spread = 4 if name == "activated" else 1  # so that ReLU6 meets its six
            p.data = (spread * (p.data + 0.1 * torch.randn_like(p))).float().double()
        x = torch.randn(SAMPLES, *shape).float().double()
        labels, values = torch.arange(SAMPLES) % classes, torch.randn(SAMPLES, classes).float().double()
        if name == "binary":
            values = values.sigmoid().float().double()
        outputs = network(x.movedim(-1, 1))
        loss = nn_loss(torch, name, outputs, values if has_values else labels, has_values)
        loss.backward()
        shown = loss.item() / (SAMPLES if name == "summed" else 1)  # of a sample
        prefix = "kTorch" + name.capitalize()
        running = sum((b.flatten().tolist() for n, b in network.named_buffers() if "running" in n), [])
        if running:
            yield array(f"double {prefix}Running[]", (f"{v:.12g}" for v in running))
        yield array(f"uint32_t {prefix}Parameters[]", bits(sum((stored(p) for p in network.parameters()), [])))
        yield array(f"uint32_t {prefix}X[]", bits(x.numpy()))
        yield array(f"uint32_t {prefix}Targets[]", bits(values.numpy()))
        yield array(f"int32_t {prefix}Labels[]", labels.tolist())
        yield array(f"double {prefix}Gradients[]",
                    (f"{g:.12g}" for p in network.parameters() for g in stored(p.grad)))
        rows.append(f'{{"{name}", {prefix}Parameters, {prefix}X, {prefix + "Targets" if has_values else "nullptr"}, '
                    f"{prefix}Labels, {shown:.12g}, {prefix}Gradients, {prefix + 'Running' if running else 'nullptr'}}}")
    torch.set_default_dtype(torch.float32)
    yield "constexpr TorchNetwork kTorchNetworks[] = {" + ",\n".join(rows) + "};"


def nn_loss(torch, name, outputs, target, has_values):
    f = torch.nn.functional
    weights = torch.tensor([0.5, 2, 1, 0.25])
    named = {"weighted": lambda: f.cross_entropy(outputs, target, weight=weights),
             "smoothed": lambda: f.cross_entropy(outputs, target, weight=weights, label_smoothing=float(np.float32(0.2))),
             "absolute": lambda: f.l1_loss(outputs, target),
             "huber": lambda: f.huber_loss(outputs, target, delta=0.5),
             "binary": lambda: f.binary_cross_entropy_with_logits(outputs, target),
             "summed": lambda: f.mse_loss(outputs, target, reduction="sum")}
    if name in named:
        return named[name]()
    return torch.nn.functional.mse_loss(outputs, target) if has_values else torch.nn.functional.cross_entropy(outputs, target)
