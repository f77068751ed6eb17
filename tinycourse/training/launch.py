"""Processes that train one network together: started here, or by torchrun or another launcher, on as many machines as it likes."""

import os

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import TorchElasticEnvironment
from torch import nn

from tinycourse.errors import TinycourseError


class Launched(TorchElasticEnvironment):
    """What a launcher has decided: this process is RANK of WORLD_SIZE, and LOCAL_RANK on its machine; rank 0 listens at MASTER_ADDR."""

    def local_rank(self) -> int:
        """Which process of this machine it is."""
        return int(os.environ.get("LOCAL_RANK", 0))  # some launchers start one process a machine and do not say so

    def validate_settings(self, num_devices: int, num_nodes: int) -> None:
        """Nothing: machines may have different numbers of processes."""


def fabric_for(devices: int, accelerator: str = "auto") -> Fabric:
    """Fabric, launched: for `devices` processes on this machine, or for this one of those that a launcher has started.

    Raises TinycourseError where the launcher's variables contradict `devices` or each other.
    """
    if {"RANK", "WORLD_SIZE"} <= os.environ.keys():  # Fabric's own processes have no RANK
        world, here = launched()
        if devices not in (1, world):
            raise TinycourseError(f"A launcher has started {world} processes (WORLD_SIZE), not {devices}: leave --devices out.")
        plugins, devices = [Launched()], here
    else:
        plugins, world = [], devices
    fabric = Fabric(accelerator=accelerator, devices=devices, strategy="ddp" if world > 1 else "auto", plugins=plugins)
    fabric.launch()
    return fabric


def launched() -> tuple[int, int]:
    """How many processes a launcher has started in all, and on this machine (as far as we know).

    Raises TinycourseError for variables that are no numbers, do not fit each other, or are missing.
    """
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_PORT")
    try:
        rank, world, local, here, port = (int(os.environ.get(name, 0)) for name in names)
    except ValueError as error:
        raise TinycourseError(f"One of {', '.join(names)} is no number ({error}): set them as torchrun does.") from None
    if not 0 <= rank < world or local < 0:
        raise TinycourseError(f"RANK {rank}, LOCAL_RANK {local} and WORLD_SIZE {world} do not fit: ranks go from 0 to WORLD_SIZE - 1.")
    if world > 1 and not (os.environ.get("MASTER_ADDR") and 0 < port < 2**16):
        raise TinycourseError("RANK and WORLD_SIZE are set, but MASTER_ADDR or MASTER_PORT is not: set all four, as torchrun does.")
    return world, max(here, local + 1)


def agree(fabric: Fabric, network: nn.Module) -> None:
    """Give every process the buffers of the first, such as the statistics of batch norm, which each has from its own share."""
    if fabric.world_size > 1:
        for buffer in network.buffers():
            torch.distributed.broadcast(buffer, 0)
