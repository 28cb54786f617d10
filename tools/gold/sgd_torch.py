"""Five parameters under torch.optim.SGD: gradients, parameters and momentum of each step. Needs PyTorch."""
TARGET, VERSION, SEED = "core/mantissa/optim/sgd_torch.inc", 1, 4


def braces(tensor):
    return "{" + ", ".join(f"{float(x).hex()}f" for x in tensor.detach()) + "}"


def row(*tensors):
    return "{" + ",\n ".join(map(braces, tensors)) + "},"


def lines():
    import torch
    torch.manual_seed(SEED)
    parameters = torch.nn.Parameter(torch.randn(5))
    optimizer = torch.optim.SGD([parameters], lr=0.1, momentum=0.9, weight_decay=0.01)
    yield row(torch.zeros(5), parameters, torch.zeros(5))
    for _ in range(4):
        parameters.grad = torch.randn(5)
        optimizer.step()
        yield row(parameters.grad, parameters, optimizer.state[parameters]["momentum_buffer"])
