// The activation between the two halves of a feed-forward layer.
#pragma once

// silu(gate) * up.
__device__ __forceinline__ float swiglu(float gate, float up) { return gate / (1.f + __expf(-gate)) * up; }
