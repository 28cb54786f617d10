"""Five parameters under torch.optim.SGD: gradients, parameters and momentum of each step. Needs PyTorch; seed 4.

python3 tools/golden/sgd_torch.py > core/mantissa/optim/sgd_torch.inc
"""
import torch

torch.manual_seed(4)
parameters = torch.nn.Parameter(torch.randn(5))
optimizer = torch.optim.SGD([parameters], lr=0.1, momentum=0.9, weight_decay=0.01)


def braces(tensor):
    return "{" + ", ".join(f"{float(x).hex()}f" for x in tensor.detach()) + "}"


def show(*tensors):
    print("{" + ",\n ".join(map(braces, tensors)) + "},")


show(torch.zeros(5), parameters, torch.zeros(5))
for _ in range(4):
    parameters.grad = torch.randn(5)
    optimizer.step()
    show(parameters.grad, parameters, optimizer.state[parameters]["momentum_buffer"])
