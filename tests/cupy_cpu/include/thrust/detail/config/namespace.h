// Stands for thrust's own header, which CuPy's complex numbers ask for by this path.
#pragma once
#define THRUST_NAMESPACE_BEGIN namespace thrust {
#define THRUST_NAMESPACE_END }
