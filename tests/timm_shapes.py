"""The shapes of the tensors of networks of timm by name, without timm."""


def resnet18_shapes():
    """Returns the shapes of the tensors of timm's resnet18, without its classifier, by name."""
    shapes = {"conv1.weight": (64, 3, 7, 7)} | _norm("bn1", 64)
    channels = 64
    for layer, width in enumerate((64, 128, 256, 512), start=1):
        for block in range(2):
            name = f"layer{layer}.{block}"
            shapes[f"{name}.conv1.weight"] = (width, channels, 3, 3)
            shapes[f"{name}.conv2.weight"] = (width, width, 3, 3)
            shapes |= _norm(f"{name}.bn1", width) | _norm(f"{name}.bn2", width)
            if channels != width:
                shapes[f"{name}.downsample.0.weight"] = (width, channels, 1, 1)
                shapes |= _norm(f"{name}.downsample.1", width)
            channels = width
    return shapes


def mobilenet_shapes():
    """Returns the shapes of the tensors of timm's mobilenetv3_small_050 by name, without head."""
    shapes = {"conv_stem.weight": (16, 3, 3, 3)} | _norm("bn1", 16)
    shapes |= {
        "blocks.0.0.conv_dw.weight": (16, 1, 3, 3),
        "blocks.0.0.conv_pw.weight": (8, 16, 1, 1),
    }
    shapes |= (
        _norm("blocks.0.0.bn1", 16) | _norm("blocks.0.0.bn2", 8) | _squeeze("blocks.0.0", 16, 8)
    )
    channels = 8
    for place, (expansions, width, kernel, inner) in enumerate(
        (
            ((40, 56), 16, 3, (0, 0)),
            ((64, 144, 144), 24, 5, (16, 40, 40)),
            ((72, 72), 24, 5, (24, 24)),
            ((144, 288, 288), 48, 5, (40, 72, 72)),
        ),
        start=1,
    ):
        for block, (expanded, squeezed) in enumerate(zip(expansions, inner, strict=True)):
            name = f"blocks.{place}.{block}"
            shapes[f"{name}.conv_pw.weight"] = (expanded, channels, 1, 1)
            shapes[f"{name}.conv_dw.weight"] = (expanded, 1, kernel, kernel)
            shapes[f"{name}.conv_pwl.weight"] = (width, expanded, 1, 1)
            shapes |= _norm(f"{name}.bn1", expanded) | _norm(f"{name}.bn2", expanded)
            shapes |= _norm(f"{name}.bn3", width)
            shapes |= _squeeze(name, expanded, squeezed) if squeezed else {}
            channels = width
    return shapes | {"blocks.5.0.conv.weight": (288, 48, 1, 1)} | _norm("blocks.5.0.bn1", 288)


def _squeeze(name, channels, inner):
    """Returns the shapes of squeeze-and-excitation."""
    return {
        f"{name}.se.conv_reduce.weight": (inner, channels, 1, 1),
        f"{name}.se.conv_reduce.bias": (inner,),
        f"{name}.se.conv_expand.weight": (channels, inner, 1, 1),
        f"{name}.se.conv_expand.bias": (channels,),
    }


def hgnet_shapes():
    """Returns the shapes of the tensors of timm's hgnetv2_b0 by name, without its head."""
    shapes = {}
    for name, inputs, outputs, kernel in (
        ("stem1", 3, 16, 3),
        ("stem2a", 16, 8, 2),
        ("stem2b", 8, 16, 2),
        ("stem3", 32, 16, 3),
        ("stem4", 16, 16, 1),
    ):
        shapes |= _affine_convolution(f"stem.{name}", inputs, outputs, kernel)
    channels = 16
    for stage, (middle, outputs, blocks) in enumerate(
        ((16, 64, 1), (32, 256, 1), (64, 512, 2), (128, 1024, 1))
    ):
        if stage:
            shapes |= _convolution(f"stages.{stage}.downsample", 1, channels, 3)
        for block in range(blocks):
            name = f"stages.{stage}.blocks.{block}"
            for layer in range(3):
                inputs, one = middle if layer else channels, f"{name}.layers.{layer}"
                if stage < 2:
                    shapes |= _affine_convolution(one, inputs, middle, 3)
                else:
                    shapes |= _convolution(f"{one}.conv1", inputs, middle, 1)
                    shapes |= _affine_convolution(f"{one}.conv2", 1, middle, 5)
            joined, half = channels + 3 * middle, outputs // 2
            shapes |= _affine_convolution(f"{name}.aggregation.0", joined, half, 1)
            shapes |= _affine_convolution(f"{name}.aggregation.1", half, outputs, 1)
            channels = outputs
    return shapes


def _convolution(name, inputs, outputs, kernel):
    weight = {f"{name}.conv.weight": (outputs, inputs, kernel, kernel)}
    return weight | _norm(f"{name}.bn", outputs)


def _affine_convolution(name, inputs, outputs, kernel):
    """Returns the shapes of a convolution before a learnable affine block."""
    affine = {f"{name}.lab.scale": (1,), f"{name}.lab.bias": (1,)}
    return _convolution(name, inputs, outputs, kernel) | affine


def efficientnet_shapes(stem, top, groups):
    """Returns the shapes of the tensors of an EfficientNet of timm by name, without its classifier.

    Args:
        stem: Channels of the stem.
        top: Channels of the last convolution.
        groups: Of each the kind as timm calls it, kernel size, repeats, channels, channels inside
            the first block and inside the others, and whether there is squeeze-and-excitation.
    """
    shapes, channels = {"conv_stem.weight": (stem, 3, 3, 3)} | _norm("bn1", stem), stem
    for group, (kind, kernel, repeats, width, first, later, has_squeeze) in enumerate(groups):
        for place in range(repeats):
            name, inside = f"blocks.{group}.{place}", later if place else first
            parts = {
                "cn": (("conv", width, channels, kernel),),
                "er": (("conv_exp", inside, channels, kernel), ("conv_pwl", width, inside, 1)),
                "ds": (("conv_dw", channels, 1, kernel), ("conv_pw", width, channels, 1)),
                "ir": (
                    ("conv_pw", inside, channels, 1),
                    ("conv_dw", inside, 1, kernel),
                    ("conv_pwl", width, inside, 1),
                ),
            }[kind]
            for number, (part, outputs, inputs, side) in enumerate(parts, start=1):
                shapes[f"{name}.{part}.weight"] = (outputs, inputs, side, side)
                shapes |= _norm(f"{name}.bn{number}", outputs)
            shapes |= _squeeze(name, inside, channels // 4) if has_squeeze else {}
            channels = width
    return shapes | {"conv_head.weight": (top, channels, 1, 1)} | _norm("bn2", top)


def edge_shapes():
    """Returns the shapes of the tensors of timm's efficientnet_es by name, without classifier."""
    return efficientnet_shapes(
        32,
        1280,
        (
            ("er", 3, 1, 24, 96, 96, False),
            ("er", 3, 2, 32, 192, 256, False),
            ("er", 3, 4, 48, 256, 384, False),
            ("ir", 5, 5, 96, 384, 768, False),
            ("ir", 5, 4, 144, 768, 1152, False),
            ("ir", 5, 2, 192, 1152, 1536, False),
        ),
    )


def csp_shapes(stem, stages):
    """Returns the shapes of the tensors of a CSPNet of timm by name, without its head.

    Args:
        stem: Channels and kernel size of each convolution.
        stages: Of each the channels of the convolution before it and of the split one, or None;
            then of the blocks their number, inner and outer channels and the kernel size of each
            convolution; whether another one follows them; and the channels of its output.
    """
    shapes, channels = {}, 3
    for number, (width, kernel) in enumerate(stem, start=1):
        shapes |= _convolution(f"stem.conv{number}", channels, width, kernel)
        channels = width
    for stage, (down, split, depth, inside, outside, kernels, returns, width) in enumerate(stages):
        name = f"stages.{stage}"
        if down:
            shapes |= _convolution(f"{name}.conv_down", channels, down, 3)
            channels = down
        if split:
            shapes |= _convolution(f"{name}.conv_exp", channels, split, 1)
            channels = split // 2
        for block in range(depth):
            for number, kernel in enumerate(kernels, start=1):
                given = channels if number == 1 else inside
                made = outside if number == len(kernels) else inside
                shapes |= _convolution(f"{name}.blocks.{block}.conv{number}", given, made, kernel)
            channels = outside
        if returns:
            shapes |= _convolution(f"{name}.conv_transition_b", channels, split // 2, 1)
        if split:
            shapes |= _convolution(f"{name}.conv_transition", split, width, 1)
            channels = width
    return shapes


def cspdarknet_shapes():
    """Returns the shapes of the tensors of timm's cspdarknet53 by name, without its head."""
    halves = ((2, 128), (8, 256), (8, 512), (4, 1024))
    return csp_shapes(
        ((32, 3),),
        (
            (64, 128, 1, 32, 64, (1, 3), True, 64),
            *((c, c, depth, c // 2, c // 2, (1, 3), True, c) for depth, c in halves),
        ),
    )


def vit_shapes(width, patch, positions, *, blocks=12, scaled=False, registers=0):
    """Returns the shapes of the tensors of a vision transformer of timm by name.

    Args:
        width: Channels.
        patch: Side of a patch.
        positions: Number of embeddings of positions.
        blocks: Their number.
        scaled: Whether residual branches are scaled, as in DINOv2.
        registers: Number of register tokens.
    """
    shapes = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, positions, width),
        "patch_embed.proj.weight": (width, 3, patch, patch),
        "patch_embed.proj.bias": (width,),
        "norm.weight": (width,),
        "norm.bias": (width,),
    }
    shapes |= {"reg_token": (1, registers, width)} if registers else {}
    for block in range(blocks):
        name = f"blocks.{block}"
        for layer, outputs, inputs in (
            ("attn.qkv", 3 * width, width),
            ("attn.proj", width, width),
            ("mlp.fc1", 4 * width, width),
            ("mlp.fc2", width, 4 * width),
        ):
            shapes[f"{name}.{layer}.weight"] = (outputs, inputs)
            shapes[f"{name}.{layer}.bias"] = (outputs,)
        for layer in ("norm1", "norm2"):
            shapes |= {f"{name}.{layer}.{part}": (width,) for part in ("weight", "bias")}
        if scaled:
            shapes |= {f"{name}.{layer}.gamma": (width,) for layer in ("ls1", "ls2")}
    return shapes


def _norm(name, channels):
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{part}": (channels,) for part in parts}
