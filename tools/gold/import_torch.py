"""Networks with PyTorch's names and layouts: weights, predictions (of eval()), and the weights after one step of SGD. Needs PyTorch.

Weights and samples are float32; loss and step are computed in float64.
"""
from tables import array, bits

TARGET, VERSION, SEED = "tests/golden/import_torch.inc", 3, 6
SAMPLES, LR = 4, 0.1

HEAD = """
struct TorchTensor {
  const char* name;  // as state_dict() has it
  size_t shape[4];   // 0: no such dimension
  const uint32_t* values;
  const double* after;  // one step with learning rate 0.1
};
// Samples are [C, T] or [C, H, W], as PyTorch has them.
struct TorchModel {
  const char* name;
  const TorchTensor* tensors;
  size_t count;
  const uint32_t* x;
  const int32_t *labels, *predictions;
  double loss;
};
""".strip()


def networks(torch):
    """Name, shape of a sample [C, T] or [C, H, W], module."""
    nn = torch.nn

    class OfSteps(nn.LayerNorm):
        """Over the channels of [C, T]."""

        def forward(self, x):
            return super().forward(x.transpose(1, 2)).transpose(1, 2)

    class Grouped(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv1d(4, 6, 3, stride=2, padding=1, groups=2)
            self.conv2 = nn.Conv1d(6, 4, 3, bias=False)
            self.head = nn.Linear(12, 3)

        def forward(self, x):
            return self.head(torch.relu(self.conv2(torch.relu(self.conv1(x)))).flatten(1))

    yield "grouped", (4, 10), Grouped()
    yield "normalized", (3, 8), nn.Sequential(
        nn.Conv1d(3, 4, 3), OfSteps(4), nn.ReLU(), nn.MaxPool1d(2), nn.Flatten(), nn.LayerNorm(12), nn.Linear(12, 5),
        nn.ReLU(), nn.Linear(5, 3))
    yield "transposed", (3, 6), nn.Sequential(
        nn.Conv1d(3, 4, 3), nn.ReLU(), nn.ConvTranspose1d(4, 5, 4, stride=2, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(40, 3))
    yield "batched", (3, 6), nn.Sequential(
        nn.Conv1d(3, 4, 3), nn.BatchNorm1d(4, momentum=0.2), nn.ReLU(), nn.Conv1d(4, 6, 2), nn.GroupNorm(2, 6), nn.ReLU(), nn.Flatten(),
        nn.BatchNorm1d(18), nn.Linear(18, 3))
    yield "image", (2, 6, 5), nn.Sequential(
        nn.Conv2d(2, 4, (3, 2), stride=(2, 1), padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False), nn.ReLU(),
        nn.Conv2d(4, 6, (1, 2), groups=2), nn.AdaptiveAvgPool2d((2, 3)), nn.Flatten(), nn.Linear(36, 3))
    yield "spread", (3, 6), nn.Sequential(
        nn.ConvTranspose1d(3, 6, 4, stride=2, padding=1, groups=3), nn.ReLU(), nn.ConvTranspose1d(6, 4, 3, groups=2), nn.ReLU(),
        nn.Flatten(), nn.Linear(56, 3))


def lines():
    import torch
    torch.manual_seed(SEED)
    torch.set_default_dtype(torch.float64)
    yield HEAD
    models = []
    for name, shape, network in networks(torch):
        for p in network.parameters():
            p.data = (p.data + 0.1 * torch.randn_like(p)).float().double()
        for key, b in network.named_buffers():
            if "running" in key:
                b.data = (b + 0.2 * torch.rand_like(b)).float().double()
        before = {key: value.clone() for key, value in network.state_dict().items() if value.is_floating_point()}
        x, labels = torch.randn(SAMPLES, *shape).float().double(), torch.arange(SAMPLES) % 3
        outputs = network.eval()(x)
        loss = torch.nn.functional.cross_entropy(outputs, labels)
        torch.nn.functional.cross_entropy(network.train()(x), labels).backward()
        torch.optim.SGD(network.parameters(), lr=LR, momentum=0.9).step()
        prefix, rows = "kImport" + name.capitalize(), []
        for i, (key, value) in enumerate(before.items()):
            after = network.state_dict()[key].flatten().tolist()
            yield array(f"uint32_t {prefix}{i}[]", bits(value.numpy()))
            yield array(f"double {prefix}After{i}[]", (f"{v:.12g}" for v in after))
            dimensions = ", ".join(map(str, value.shape))
            rows.append(f'{{"{key}", {{{dimensions}}}, {prefix}{i}, {prefix}After{i}}}')
        yield f"constexpr TorchTensor {prefix}Tensors[] = {{" + ",\n".join(rows) + "};"
        yield array(f"uint32_t {prefix}X[]", bits(x.numpy()))
        yield array(f"int32_t {prefix}Labels[]", labels.tolist())
        yield array(f"int32_t {prefix}Predictions[]", outputs.argmax(1).tolist())
        models.append(f'{{"{name}", {prefix}Tensors, {len(rows)}, {prefix}X, {prefix}Labels, {prefix}Predictions, '
                      f"{loss.item():.12g}}}")
    torch.set_default_dtype(torch.float32)
    yield "constexpr TorchModel kTorchModels[] = {" + ",\n".join(models) + "};"
