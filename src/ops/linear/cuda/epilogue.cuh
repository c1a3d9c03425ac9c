// What a linear kernel does with its sums.
#pragma once

// Stores them as activations, or as f32, or multiplies gate and up into one activation.
enum Epilogue { STORE, STORE_F32, SWIGLU };
