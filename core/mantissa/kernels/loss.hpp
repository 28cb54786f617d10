// Losses that most plans do without, as kernels. What they compute is in losses/.
#pragma once

namespace mantissa {

struct PointwiseLoss;
struct MseResult;
MseResult pointwise_loss(const PointwiseLoss& p);

struct SoftCrossEntropy;
struct SoftResult;
SoftResult soft_cross_entropy(const SoftCrossEntropy& s);

}  // namespace mantissa
